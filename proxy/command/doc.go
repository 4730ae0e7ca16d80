// Package command is the table of Redis' commands: which of them read, write,
// block, change the state of a connection or must not pass, and which may be run
// again after their reply was lost.
//
// The table is built in, because the flags that COMMAND shows do not say this:
// EVAL and PUBLISH write without the write flag, PFCOUNT writes with the readonly
// flag, XREAD blocks only with BLOCK, and nothing tells commands that change the
// connection's state. It covers Redis 7.0 completely (a test compares it with a
// real server) and those of Redis 7.2 to 8.4, Valkey 8 and 9 and the well-known
// modules whose nature is certain.
//
// A Policy lets refused commands pass and refuses others. Table.With adds what a
// master serves and the built-in table does not have; there the flags must do, and
// what they leave in doubt is a write. What neither knows counts as a write that is
// never repeated.
package command
