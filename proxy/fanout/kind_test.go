package fanout

import (
	"bytes"
	"testing"

	"steadis/proxy/resp"
)

func TestParseMessage(t *testing.T) {
	for _, c := range []struct {
		frame string
		kind  Kind
		name  string
		ok    bool
	}{
		{message(Channels, "news", "hello"), Channels, "news", true},
		{message(Patterns, "n*", "news", "hello"), Patterns, "n*", true},
		{message(Shards, "s", "x"), Shards, "s", true},
		{message(Channels, "", ""), Channels, "", true},
		{message(Channels, "a\r\n$1\r\n\x00\xff", "x"), Channels, "a\r\n$1\r\n\x00\xff", true},
		{"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n", 0, "", false},
		{"*3\r\n$7\r\nmessage\r\n", 0, "", false},
		{"*3\r\n$7\r\nmessage\r\n$", 0, "", false},
		{"*3\r\n$7\r\nmessage\r\n$\r\n\r\n", 0, "", false},
		{"*3\r\n$7\r\nmessage\r\n$-1\r\n", 0, "", false},
		{"*3\r\n$7\r\nmessage\r\n$2\r\na\r\n", 0, "", false},
		{"*3\r\n$7\r\nmessage\r\n$1\r\nab\r\n", 0, "", false},
		{"*3\r\n$7\r\nmessage\r\n$99999999999999999999\r\na\r\n", 0, "", false},
		{"*3\r\n$7\r\nmessage\r\n:1\r\n", 0, "", false},
		{"+OK\r\n", 0, "", false},
		{"", 0, "", false},
	} {
		kind, name, ok := parseMessage([]byte(c.frame))
		if ok != c.ok || ok && (kind != c.kind || string(name) != c.name) {
			t.Errorf("%q: got %v %q %v", c.frame, kind, name, ok)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte(message(Channels, "a", "b")))
	f.Add([]byte(message(Patterns, "a*", "ab", "b")))
	f.Add([]byte("*3\r\n$8\r\nsmessage\r\n$10\r\nab\r\n"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		kind, name, ok := parseMessage(frame)
		if !ok {
			return
		}
		want := resp.AppendCommandBytes(nil, name)
		want = append(messageHeads[kind][:len(messageHeads[kind]):len(messageHeads[kind])], want[len("*1\r\n"):]...)
		if !bytes.Contains(frame, name) || len(frame) < len(want)-len("$0") {
			t.Errorf("%q: the name %q is not there", frame, name)
		}
		whole := frame[:len(frame):len(frame)]
		if e := resp.Elements(whole); len(e) > 1 {
			if text, ok := firstBulk(e[1]); !ok || !bytes.Equal(text, name) {
				t.Errorf("%q: got %q, the second element is %q", frame, name, e[1])
			}
		}
	})
}
