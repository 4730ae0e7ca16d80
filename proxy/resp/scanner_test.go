package resp

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// scanAll scans data in pieces of the sizes that next gives and returns where frames
// end, and whether that was the last because of an error.
func scanAll(data []byte, next func() int) (ends []int, broken bool) {
	var s Scanner
	at := 0
	for at < len(data) {
		b := data[at:min(len(data), at+max(1, next()))]
		for len(b) > 0 {
			n, done, err := s.Scan(b)
			if err != nil {
				return ends, true
			}
			if n == 0 || !done && n != len(b) {
				return append(ends, -n), true // neither progress nor an end
			}
			b = b[n:]
			at += n
			if done {
				ends = append(ends, at)
			}
		}
	}
	return ends, false
}

func TestScanner(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("*1\r\n", n) + ":1\r\n" }
	for _, c := range []struct {
		name, frame string
		ok          bool
	}{
		{"simple string", "+OK\r\n", true}, {"empty", "+\r\n", true}, {"error", "-ERR no\r\n", true}, {"integer", ":-5\r\n", true},
		{"CR in a line", "+a\rb\r\r\n", true}, {"bulk", "$5\r\nhello\r\n", true}, {"empty bulk", "$0\r\n\r\n", true}, {"null bulk", "$-1\r\n", true},
		{"bulk with line ends", "$4\r\n\r\n\r\n\r\n", true}, {"array", "*2\r\n$1\r\na\r\n:1\r\n", true}, {"empty array", "*0\r\n", true}, {"null array", "*-1\r\n", true},
		{"nested", "*3\r\n*2\r\n+a\r\n*0\r\n*-1\r\n$-1\r\n", true}, {"as deep as may be", deep(MaxDepth), true}, {"too deep", deep(MaxDepth + 1), false},
		{"null", "_\r\n", true}, {"double", ",1.5\r\n", true}, {"boolean", "#t\r\n", true}, {"big number", "(123456789012345678901234567890\r\n", true},
		{"blob error", "!3\r\nERR\r\n", true}, {"verbatim", "=7\r\ntxt:abc\r\n", true}, {"map", "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n", true},
		{"empty map", "%0\r\n", true}, {"set", "~2\r\n:1\r\n:2\r\n", true}, {"push", ">2\r\n+message\r\n+x\r\n", true},
		{"attribute", "|1\r\n+ttl\r\n:1\r\n$1\r\na\r\n", true}, {"empty attribute", "|0\r\n+OK\r\n", true}, {"two attributes", "|1\r\n+a\r\n:1\r\n|1\r\n+b\r\n:2\r\n:3\r\n", true},
		{"attribute within", "*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n:2\r\n:3\r\n", true}, {"attribute in an attribute", "|1\r\n|1\r\n+x\r\n+y\r\n+a\r\n:1\r\n:2\r\n", true},
		{"streamed string", "$?\r\n;4\r\nabcd\r\n;1\r\n\r\r\n;0\r\n", true}, {"empty streamed string", "$?\r\n;0\r\n", true},
		{"streamed array", "*?\r\n:1\r\n*?\r\n.\r\n$-1\r\n.\r\n", true}, {"streamed set", "~?\r\n.\r\n", true}, {"streamed map", "%?\r\n+a\r\n:1\r\n+b\r\n:2\r\n.\r\n", true},
		{"streamed within", "*2\r\n$?\r\n;0\r\n*?\r\n|1\r\n+a\r\n+b\r\n+c\r\n.\r\n", true},
		{"large aggregate", "*20\r\n" + strings.Repeat("$12\r\n012345678901\r\n", 20), true},

		{"unknown type", "?\r\n", false}, {"line end", "\r\n", false}, {"letter", "a", false}, {"end without a stream", ".\r\n", false}, {"piece without a stream", ";1\r\na\r\n", false},
		{"bad length", "$a\r\n", false}, {"no length", "$\r\n", false}, {"plus", "$+1\r\n", false}, {"leading zero", "$01\r\n", false}, {"only minus", "$-\r\n", false},
		{"minus two", "$-2\r\n", false}, {"minus zero", "$-0\r\n", false}, {"negative map", "%-1\r\n", false}, {"negative set", "~-1\r\n", false}, {"negative push", ">-1\r\n", false},
		{"overflow", "$9223372036854775808\r\n", false}, {"huge", "*1000000000000000000\r\n", false}, {"no LF", "$1\rX", false}, {"LF alone", "$1\na\r\n", false},
		{"bulk without end", "$1\r\nab\r\n", false}, {"bulk half an end", "$1\r\na\rb", false}, {"streamed push", ">?\r\n", false}, {"streamed attribute", "|?\r\n", false},
		{"stream with a length", "*?1\r\n", false}, {"minus stream", "*-?\r\n", false}, {"half a map", "%?\r\n+a\r\n.\r\n", false}, {"end with text", "*?\r\n.a\r\n", false},
		{"end after an attribute", "*?\r\n|1\r\n+a\r\n+b\r\n.\r\n", false}, {"end in a fixed array", "*?\r\n*2\r\n.\r\n", false}, {"string in a streamed string", "$?\r\n$1\r\na\r\n", false},
		{"negative piece", "$?\r\n;-1\r\n", false}, {"piece without end", "$?\r\n;1\r\nab\r\n", false},
	} {
		for _, size := range []int{1, 2, 3, 5, 1 << 20} {
			data := []byte(c.frame + c.frame + "+next\r\n")
			want := []int{len(c.frame), 2 * len(c.frame), len(data)}
			if !c.ok {
				want = nil
			}
			ends, broken := scanAll(data, always(size))
			if broken == c.ok || !reflect.DeepEqual(ends, want) {
				t.Errorf("%s, pieces of %d: frames end at %v, not %v; broken %v", c.name, size, ends, want, broken)
			}
		}
	}
}

func TestScannerStaysBroken(t *testing.T) {
	var s Scanner
	for _, in := range []string{"+OK\r\nx", "+OK\r\n"} {
		s.Scan([]byte(in)[:5])
		_, done, err := s.Scan([]byte("x"))
		if done || !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "'x'") {
			t.Errorf("%v, %v", done, err)
		}
	}
	s.Reset()
	if n, done, err := s.Scan([]byte("+OK\r\n")); n != 5 || !done || err != nil {
		t.Errorf("after Reset: %d, %v, %v", n, done, err)
	}
}

// TestScannerBetweenFrames: nothing for no bytes, also in mid-frame.
func TestScannerBetweenFrames(t *testing.T) {
	var s Scanner
	for _, in := range []string{"", "$3\r\nab", "", "c\r\n"} {
		n, done, err := s.Scan([]byte(in))
		if n != len(in) || done != (in == "c\r\n") || err != nil {
			t.Errorf("%q: %d, %v, %v", in, n, done, err)
		}
	}
}

// errShort is that the reference needs more bytes.
var errShort = errors.New("short")

// frameEnd is the reference for the Scanner: recursive, of a whole frame.
func frameEnd(b []byte, depth int) (end int, err error) {
	if len(b) == 0 {
		return 0, errShort
	}
	if strings.IndexByte("+-:_,#($!=*%~>|", b[0]) < 0 {
		return 0, ErrMalformed
	}
	if strings.IndexByte("+-:_,#(", b[0]) >= 0 {
		k := bytes.Index(b, crlf)
		if k < 0 {
			return 0, errShort
		}
		return k + 2, nil
	}
	n, at, err := length(b)
	if err != nil {
		return 0, err
	}
	switch b[0] {
	case '$', '!', '=':
		if n == streamed {
			return chunksEnd(b, at)
		}
		if n < 0 {
			return at, nil
		}
		return body(b, at, n)
	}
	if n == 0 && b[0] != '|' || n == -1 {
		return at, nil
	}
	if n != 0 && depth == MaxDepth {
		return 0, ErrMalformed
	}
	return aggregateEnd(b, at, n, depth)
}

// aggregateEnd reads the elements of an aggregate, and of an attribute the frame
// that it precedes.
func aggregateEnd(b []byte, at, n, depth int) (end int, err error) {
	if b[0] == '%' && n != streamed || b[0] == '|' {
		n *= 2
	}
	attribute := false
	for k := 0; n == streamed || k < n; k++ {
		if n == streamed && at < len(b) && b[at] == '.' {
			if b[0] == '%' && k%2 != 0 || attribute {
				return 0, ErrMalformed
			}
			return exactly(b, at, ".\r\n")
		}
		m, err := frameEnd(b[at:], depth+1)
		if err != nil {
			return 0, err
		}
		at += m
	}
	if b[0] == '|' {
		m, err := frameEnd(b[at:], depth)
		return at + m, err
	}
	return at, nil
}

// chunksEnd reads the pieces of a streamed string.
func chunksEnd(b []byte, at int) (end int, err error) {
	for {
		if at == len(b) {
			return 0, errShort
		}
		if b[at] != ';' {
			return 0, ErrMalformed
		}
		n, m, err := length(b[at:])
		if err != nil {
			return 0, err
		}
		at += m
		if n == 0 {
			return at, nil
		}
		if at, err = body(b, at, n); err != nil {
			return 0, err
		}
	}
}

const streamed = -2

// length reads the length after a type byte.
func length(b []byte) (n, at int, err error) {
	k := 1
	for k < len(b) && (b[k] >= '0' && b[k] <= '9') {
		k++
	}
	text := string(b[1:k])
	if len(text) > 1 && text[0] == '0' || len(text) > 18 {
		return 0, 0, ErrMalformed
	}
	if k == 1 {
		for special, v := range map[string]int{"-1": -1, "?": streamed} {
			if allowed := map[int]string{-1: "$*", streamed: "$*~%"}[v]; strings.IndexByte(allowed, b[0]) < 0 {
				continue
			}
			at, err := exactly(b, 1, special+"\r\n")
			if err == nil {
				return v, at, nil
			}
			if err == errShort {
				return 0, 0, err
			}
		}
		if len(b) == 1 {
			return 0, 0, errShort
		}
		return 0, 0, ErrMalformed
	}
	if at, err = exactly(b, k, "\r\n"); err != nil {
		return 0, 0, err
	}
	n, err = strconv.Atoi(text)
	return n, at, err
}

// body reads n bytes and a line end.
func body(b []byte, at, n int) (end int, err error) {
	if n > len(b)-at {
		return 0, errShort
	}
	return exactly(b, at+n, "\r\n")
}

// exactly reads text.
func exactly(b []byte, at int, text string) (end int, err error) {
	rest := string(b[at:])
	if strings.HasPrefix(rest, text) {
		return at + len(text), nil
	}
	if strings.HasPrefix(text, rest) {
		return 0, errShort
	}
	return 0, ErrMalformed
}

// framesOf is scanAll by the reference.
func framesOf(data []byte) (ends []int, broken bool) {
	at := 0
	for at < len(data) {
		n, err := frameEnd(data[at:], 0)
		if err != nil {
			return ends, err != errShort
		}
		at += n
		ends = append(ends, at)
	}
	return ends, false
}
