package resp

import (
	"reflect"
	"testing"
)

func TestSplitCommand(t *testing.T) {
	for _, args := range [][]string{{"PING"}, {"SET", "k", ""}, {"ECHO", "a\r\nb\x00", "0123456789"}} {
		raw := AppendCommand([]byte("before"), args...)[len("before"):]
		var got []string
		var again [][]byte
		for _, a := range SplitCommand(raw) {
			got = append(got, string(a))
			again = append(again, a)
		}
		if !reflect.DeepEqual(got, args) {
			t.Errorf("%q: %q", args, got)
		}
		if b := AppendCommandBytes(nil, again...); string(b) != string(raw) {
			t.Errorf("%q: %q", raw, b)
		}
	}
	for _, raw := range []string{"", "PING\r\n", "*1\r\n", "*1\r\n$4\r\nPIN", "*1\r\n$4\r\nPING\r\n*", "*1\r\n+4\r\nPING\r\n", "*999999999\r\n$1\r\na\r\n", "*x\r\n", "*2\r\n$4\r\nPING\r\n"} {
		if got := SplitCommand([]byte(raw)); got != nil {
			t.Errorf("%q: %q", raw, got)
		}
	}
}

func TestErrorPrefix(t *testing.T) {
	for _, c := range []struct{ frame, want string }{
		{"-READONLY You can't write\r\n", "READONLY"}, {"-LOADING\r\n", "LOADING"}, {"!21\r\nSYNTAX invalid syntax\r\n", "SYNTAX"},
		{"-\r\n", ""}, {"+READONLY\r\n", ""}, {"$8\r\nREADONLY\r\n", ""}, {"", ""}, {"-", ""}, {"!", ""}, {"-MOVED", "MOVED"},
	} {
		frame := []byte(c.frame)
		if got := ErrorPrefix(frame); string(got) != c.want {
			t.Errorf("%q: %q", frame, got)
		}
		if c.want != "" && (!IsError(frame, c.want) || IsError(frame, c.want[:3]) || IsError(frame, "")) {
			t.Errorf("%q: IsError is wrong", frame)
		}
		if n := testing.AllocsPerRun(10, func() { IsError(frame, "READONLY") }); n != 0 {
			t.Errorf("%q: %v allocations", frame, n)
		}
	}
}
