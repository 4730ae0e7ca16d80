package load

import (
	"errors"
	"strings"
	"testing"
)

func TestParserCountsRepliesInPieces(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		replies  int
		errors   int
		first    string
	}{
		{"simple", "+OK\r\n:1\r\n+OK\r\n", 3, 0, ""},
		{"bulk", "$5\r\nhe\r\no\r\n$0\r\n\r\n$-1\r\n", 3, 0, ""},
		{"array", "*2\r\n$1\r\na\r\n:3\r\n*0\r\n*-1\r\n", 3, 0, ""},
		{"nested", "*2\r\n*1\r\n*2\r\n+a\r\n+b\r\n$1\r\nc\r\n+d\r\n", 2, 0, ""},
		{"error", "+OK\r\n-ERR one\r\n-ERR two\r\n", 3, 2, "ERR one"},
		{"error in EXEC", "*2\r\n+OK\r\n-WRONGTYPE no\r\n", 1, 1, "WRONGTYPE no"},
		{"message", "*3\r\n$7\r\nmessage\r\n$5\r\nbench\r\n$4\r\n\n\r\n*\r\n", 1, 0, ""},
		{"unfinished", "*2\r\n+OK\r\n", 0, 0, ""},
	} {
		for size := 1; size <= len(tt.in); size++ {
			var p parser
			got := 0
			for rest := tt.in; rest != ""; {
				piece := rest[:min(size, len(rest))]
				n, err := p.feed([]byte(piece))
				if err != nil {
					t.Fatalf("%s in pieces of %d: %v", tt.name, size, err)
				}
				got += n
				rest = rest[len(piece):]
			}
			if got != tt.replies || p.errors != tt.errors || p.firstErr != tt.first {
				t.Errorf("%s in pieces of %d: %d replies, %d errors (%q)", tt.name, size, got, p.errors, p.firstErr)
			}
		}
	}
}

func TestParserRefusesWhatIsNotRESP2(t *testing.T) {
	for _, in := range []string{
		"OK\r\n", "+OK\n", "$x\r\n", "$-2\r\n", "*1x\r\n", "\r\n",
		strings.Repeat("*1\r\n", maxDepth+1), "+" + strings.Repeat("x", maxLine),
	} {
		var p parser
		if _, err := p.feed([]byte(in)); !errors.Is(err, errProtocol) {
			t.Errorf("%.20q: %v", in, err)
		}
	}
}
