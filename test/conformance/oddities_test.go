package conformance

import "strings"

// follow is what the odd master does behind its odd bytes.
type follow int

const (
	falls follow = iota // falls silent on this connection
	hangUp
	goOn // answers the following commands as it should
)

// oddity is one odd answer to one command. fine is what the command's right answer
// would have been.
type oddity struct {
	name string
	raw  string
	then follow
	// unasked: the command gets its right answer, and the odd bytes come later, while
	// nothing is in flight.
	unasked bool
	// alone: with other commands in flight behind, nobody could tell whose the next
	// frame is: whole frames too many or too few. Such a row is played on an idle
	// connection only.
	alone bool
	// legal: it is RESP, if only of another version, so the connection may go on and
	// the client may get it as it is.
	legal bool
	// slowly: byte by byte.
	slowly bool
}

// parts is what is written, in so many writes.
func (o oddity) parts() [][]byte {
	if !o.slowly {
		return [][]byte{[]byte(o.raw)}
	}
	var out [][]byte
	for _, b := range []byte(o.raw) {
		out = append(out, []byte{b})
	}
	return out
}

const fine = "$4\r\nfine\r\n"

// oddities are the rows of TestOddReplies.
var oddities = []oddity{
	// Not whole.
	{name: "nothing at all", raw: ""},
	{name: "nothing, and the end", raw: "", then: hangUp},
	{name: "an array of 3 with 2 elements", raw: "*3\r\n:1\r\n:2\r\n"},
	{name: "an array of 3 with 2 elements, and the end", raw: "*3\r\n:1\r\n:2\r\n", then: hangUp},
	{name: "a nested array that is not whole", raw: "*2\r\n:1\r\n*2\r\n$1\r\na\r\n"},
	{name: "an array whose last element is a half", raw: "*2\r\n:1\r\n$5\r\nhe"},
	{name: "a map that is not whole", raw: "%2\r\n+a\r\n:1\r\n+b\r\n"},
	{name: "a set that is not whole", raw: "~2\r\n+a\r\n"},
	{name: "a push that is not whole", raw: ">2\r\n+invalidate\r\n"},
	{name: "an attribute alone", raw: "|1\r\n+k\r\n+v\r\n"},
	{name: "an attribute that is not whole", raw: "|1\r\n+k\r\n"},
	{name: "half a bulk", raw: "$10\r\nabc"},
	{name: "half a bulk, and the end", raw: "$10\r\nabc", then: hangUp},
	{name: "a bulk without its CRLF", raw: "$4\r\nfine"},
	{name: "a bulk with half its CRLF", raw: "$4\r\nfine\r"},
	{name: "a length without its CRLF", raw: "$4"},
	{name: "a simple string without an end", raw: "+OK"},
	{name: "a simple string with CR", raw: "+OK\r"},
	{name: "1 MB of a simple string", raw: "+" + strings.Repeat("x", 1<<20)},
	{name: "1 MB of a number", raw: ":" + strings.Repeat("1", 1<<20)},
	{name: "1 MB of a length", raw: "$" + strings.Repeat("1", 1<<20)},
	{name: "an error without an end", raw: "-ERR x"},
	{name: "one byte", raw: "$"},

	// Cut at each point.
	{name: "cut in the length, and the end", raw: fine[:1], then: hangUp},
	{name: "cut in CRLF, and the end", raw: fine[:3], then: hangUp},
	{name: "cut behind the length, and the end", raw: fine[:4], then: hangUp},
	{name: "cut in the body, and the end", raw: fine[:6], then: hangUp},
	{name: "cut behind the body, and the end", raw: fine[:8], then: hangUp},
	{name: "cut before the last byte, and the end", raw: fine[:9], then: hangUp},
	{name: "cut in an array's count, and the end", raw: "*2", then: hangUp},
	{name: "cut behind an array's count, and the end", raw: "*2\r\n", then: hangUp},
	{name: "cut in a simple string, and the end", raw: "+O", then: hangUp},
	{name: "cut in an error, and the end", raw: "-ERR wro", then: hangUp},
	{name: "cut in an integer, and the end", raw: ":12", then: hangUp},

	// Too much.
	{name: "two replies", raw: fine + "$5\r\nextra\r\n", then: goOn, alone: true},
	{name: "three replies", raw: fine + "+OK\r\n:1\r\n", then: goOn, alone: true},
	{name: "a reply and an error", raw: fine + "-ERR extra\r\n", then: goOn, alone: true},
	{name: "an array with an element too many", raw: "*1\r\n:1\r\n:2\r\n", then: goOn, alone: true},
	{name: "a reply and half of another one", raw: fine + "$5\r\nex", then: goOn, alone: true},
	{name: "a reply and an empty line", raw: fine + "\r\n", then: goOn},
	{name: "a reply and noise", raw: fine + "\x00\x01noise", then: goOn},
	{name: "a reply, another one, and the end", raw: fine + "+extra\r\n", then: hangUp, alone: true},
	{name: "a bulk longer than it says", raw: "$2\r\nfine\r\n", then: goOn},
	{name: "a bulk shorter than it says", raw: "$8\r\nfine\r\n"},

	// Ends of lines.
	{name: "a bulk with other bytes for CRLF", raw: "$4\r\nfineXX", then: goOn},
	{name: "LF only", raw: "$4\nfine\n"},
	{name: "a simple string with LF only", raw: "+OK\n"},
	{name: "an integer with LF only", raw: ":1\n"},
	{name: "CR only", raw: "$4\rfine\r"},
	{name: "LF CR", raw: "+OK\n\r"},
	{name: "CR inside a simple string", raw: "+O\rK\r\n", then: goOn, legal: true},
	{name: "LF inside a simple string", raw: "+O\nK\r\n", then: goOn, legal: true},

	// Lengths and counts.
	{name: "length -2", raw: "$-2\r\n", then: goOn},
	{name: "length -0", raw: "$-0\r\n\r\n", then: goOn, legal: true},
	{name: "length of the least int64", raw: "$-9223372036854775808\r\n", then: goOn},
	{name: "length with letters", raw: "$4x\r\nfine\r\n", then: goOn},
	{name: "length empty", raw: "$\r\n", then: goOn},
	{name: "length with a plus", raw: "$+4\r\nfine\r\n", then: goOn, legal: true},
	{name: "length with a blank", raw: "$ 4\r\nfine\r\n", then: goOn},
	{name: "length with a zero before", raw: "$04\r\nfine\r\n", then: goOn, legal: true},
	{name: "length in hex", raw: "$0x4\r\nfine\r\n", then: goOn},
	{name: "length of twenty digits", raw: "$99999999999999999999\r\n", then: goOn},
	{name: "length of 2 GB", raw: "$2147483647\r\nabc"},
	{name: "length of the greatest int64", raw: "$9223372036854775807\r\nabc"},
	{name: "count -2", raw: "*-2\r\n", then: goOn},
	{name: "count with letters", raw: "*1x\r\n:1\r\n", then: goOn},
	{name: "count empty", raw: "*\r\n", then: goOn},
	{name: "count of 2^31", raw: "*2147483648\r\n:1\r\n"},
	{name: "count of a thousand millions", raw: "*1000000000\r\n:1\r\n"},
	{name: "count of the greatest int64", raw: "*9223372036854775807\r\n:1\r\n"},
	{name: "map of half the greatest int64", raw: "%4611686018427387904\r\n:1\r\n"},
	{name: "map -1", raw: "%-1\r\n", then: goOn, legal: true},
	{name: "set -1", raw: "~-1\r\n", then: goOn, legal: true},
	{name: "push of nothing", raw: ">0\r\n" + fine, then: goOn, legal: true},

	// Types.
	{name: "an unknown type", raw: "?huh\r\n", then: goOn},
	{name: "a letter", raw: "fine\r\n", then: goOn},
	{name: "NUL", raw: "\x00\r\n", then: goOn},
	{name: "an empty line", raw: "\r\n" + fine, then: goOn},
	{name: "LF before the reply", raw: "\n" + fine, then: goOn},
	{name: "a blank before the reply", raw: " " + fine, then: goOn},
	{name: "HTTP", raw: "HTTP/1.1 400 Bad Request\r\n\r\n", then: hangUp},
	{name: "an unknown type inside an array", raw: "*2\r\n:1\r\n?\r\n", then: goOn},
	{name: "an empty line inside an array", raw: "*2\r\n:1\r\n\r\n:2\r\n", then: goOn},
	{name: "an integer that is none", raw: ":abc\r\n", then: goOn, legal: true},
	{name: "an empty integer", raw: ":\r\n", then: goOn, legal: true},
	{name: "an empty error", raw: "-\r\n", then: goOn, legal: true},
	{name: "an empty simple string", raw: "+\r\n", then: goOn, legal: true},
	{name: "a null with something in it", raw: "_x\r\n", then: goOn, legal: true},
	{name: "a boolean that is none", raw: "#x\r\n", then: goOn, legal: true},
	{name: "a double that is none", raw: ",abc\r\n", then: goOn, legal: true},
	{name: "a big number that is none", raw: "(abc\r\n", then: goOn, legal: true},
	{name: "a verbatim string that is too short", raw: "=2\r\nab\r\n", then: goOn, legal: true},
	{name: "a blob error", raw: "!5\r\nERR x\r\n", then: goOn, legal: true},
	{name: "an error that nobody knows", raw: "-WHATEVER x\r\n", then: goOn, legal: true},
	{name: "another type than asked for", raw: "*0\r\n", then: goOn, legal: true},

	// Nesting.
	{name: "1,000 arrays in one another, not whole", raw: strings.Repeat("*1\r\n", 1000)},
	{name: "1,000,000 arrays in one another", raw: strings.Repeat("*1\r\n", 1_000_000)},
	{name: "300 arrays in one another", raw: strings.Repeat("*1\r\n", 300) + ":1\r\n", then: goOn, legal: true},
	{name: "100,000 attributes", raw: strings.Repeat("|0\r\n", 100_000)},

	// RESP3 and beyond.
	{name: "an attribute before the reply", raw: "|1\r\n+k\r\n+v\r\n" + fine, then: goOn, legal: true},
	{name: "an attribute inside", raw: "*1\r\n|1\r\n+k\r\n+v\r\n:1\r\n", then: goOn, legal: true},
	{name: "a message before the reply", raw: ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n" + fine, then: goOn, legal: true},
	{name: "an invalidation before the reply", raw: ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n" + fine, then: goOn, legal: true},
	{name: "a push instead of the reply", raw: ">2\r\n$7\r\nmessage\r\n$1\r\nx\r\n"},
	{name: "a push inside an array", raw: "*1\r\n>1\r\n+x\r\n", then: goOn, legal: true},
	{name: "a streamed string", raw: "$?\r\n;4\r\nfine\r\n;0\r\n", then: goOn, legal: true},
	{name: "a streamed array", raw: "*?\r\n:1\r\n:2\r\n.\r\n", then: goOn, legal: true},
	{name: "a streamed map", raw: "%?\r\n+a\r\n:1\r\n.\r\n", then: goOn, legal: true},
	{name: "a streamed set that does not end", raw: "~?\r\n+a\r\n"},
	{name: "the end of a stream", raw: ".\r\n", then: goOn},
	{name: "the right reply, byte by byte", raw: fine, then: goOn, legal: true, slowly: true},

	// What nobody asked for, on an idle connection.
	{name: "unasked: a simple string", raw: "+OK\r\n", then: goOn, unasked: true},
	{name: "unasked: an error", raw: "-ERR bored\r\n", then: goOn, unasked: true},
	{name: "unasked: a bulk", raw: fine, then: goOn, unasked: true},
	{name: "unasked: half a bulk", raw: "$10\r\nab", then: goOn, unasked: true},
	{name: "unasked: a length", raw: "$100\r\n", then: goOn, unasked: true},
	{name: "unasked: a count", raw: "*3\r\n", then: goOn, unasked: true},
	{name: "unasked: one byte", raw: "+", then: goOn, unasked: true},
	{name: "unasked: an empty line", raw: "\r\n", then: goOn, unasked: true},
	{name: "unasked: noise", raw: "\x00\xff\x7f", then: goOn, unasked: true},
	{name: "unasked: a message", raw: ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n", then: goOn, unasked: true, legal: true},
	{name: "unasked: a message of RESP2", raw: "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n", then: goOn, unasked: true},
	{name: "unasked: an invalidation", raw: ">2\r\n$10\r\ninvalidate\r\n_\r\n", then: goOn, unasked: true, legal: true},
	{name: "unasked: a null", raw: "$-1\r\n", then: goOn, unasked: true},
	{name: "unasked: the end", raw: "", then: hangUp, unasked: true},
}
