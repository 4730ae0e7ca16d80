// Package conformance sends the same bytes to Redis directly and through steadis
// and compares the raw replies, byte by byte. It holds only tests:
//
//   - TestCommands: every command and subcommand of the running server, from the
//     tables in testdata/commands, in RESP2 and RESP3, as single commands, in a
//     pipeline, inside MULTI and inline; with wrong arity, types and missing keys.
//   - TestDialogues: several connections that have to do with each other, from
//     testdata/dialogues.
//   - TestRandom: random sequences under a fixed seed; a difference is shrunk.
//     TEST_CONFORMANCE=full makes it ten times as long, TEST_CONFORMANCE_SEED
//     gives another seed.
//   - TestAbuse, TestCut, TestLarge: broken and hostile protocol, commands cut at
//     every byte, large values and long pipelines.
//   - TestOddReplies: a scripted master that answers with anything but RESP.
//   - TestJudge: the suite itself: it finds nothing between two Redis servers, and
//     it finds each byte that a dishonest relay changes.
//
// There are two servers of the same kind: one is asked directly, the other one is
// behind steadis as the master of a Sentinel deployment. The same Sentinel watches
// both, so that what it does to a master it does to both. Whatever differs and may
// is in one table, differences_test.go, with its reason and with how much may
// differ.
//
// TEST_BINARY names a steadis to test instead of one built from the tree; with
// "none" two Redis servers are compared, in which nothing but that table may differ.
// TEST_CONFORMANCE_ODD is a part of the names of those odd replies that are to be
// played alone. TEST_CONFORMANCE_REPORT names a file to which every difference is written in
// full; the tests print one example of each kind.
package conformance
