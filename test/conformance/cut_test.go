package conformance

import (
	"fmt"
	"slices"
	"testing"
)

// TestCut sends a few commands in two writes, cut at every position, and byte by
// byte.
func TestCut(t *testing.T) {
	p := servers(t)
	r := newReport(t)
	multi := oneWrite([]string{"MULTI"}, []string{"SET", "str", "1"}, []string{"INCR", "str"}, []string{"EXEC"})
	watch := oneWrite([]string{"WATCH", "str"}, []string{"GET", "str"}, []string{"MULTI"}, []string{"GET", "str"}, []string{"EXEC"})
	for _, tt := range []struct {
		name string
		step
	}{
		{"SET and GET", oneWrite([]string{"SET", "k", "a\r\nb\x00"}, []string{"GET", "k"})},
		{"an empty argument", oneWrite([]string{"SET", "", ""}, []string{"GET", ""})},
		{"PING and an error", oneWrite([]string{"PING", "x"}, []string{"NOSUCH", "a"}, []string{"GET"})},
		{"a line", step{[]byte("SET k \"a b\"\r\nGET k\r\n"), [][]string{{"SET", "k", "a b"}, {"GET", "k"}}}},
		{"MULTI", multi},
		{"WATCH", watch},
		{"SUBSCRIBE", oneWrite([]string{"SUBSCRIBE", "a", "b"}, []string{"PING"}, []string{"UNSUBSCRIBE", "b", "a"}, []string{"GET", "str"})},
		{"BLPOP", oneWrite([]string{"BLPOP", "list", "0"}, []string{"LLEN", "list"})},
		{"SELECT", oneWrite([]string{"SELECT", "1"}, []string{"SET", "a", "1"}, []string{"SELECT", "0"}, []string{"GET", "a"})},
		{"HELLO", oneWrite([]string{"HELLO", "3"}, []string{"HGETALL", "hash"})},
		{"EVAL", oneWrite([]string{"EVAL", "return {KEYS[1],ARGV[1]}", "1", "k", "v"}, []string{"GET", "str"})},
	} {
		for at := 1; at < len(tt.raw); at++ {
			playCut(t, p, r, fmt.Sprintf("%s, cut at %d", tt.name, at), tt.step, [][]byte{tt.raw[:at], tt.raw[at:]})
		}
		playCut(t, p, r, tt.name+", byte by byte", tt.step, slices.Collect(slices.Chunk(tt.raw, 1)))
	}
}

func playCut(t *testing.T, p *pair, r *report, where string, st step, pieces [][]byte) {
	t.Helper()
	if err := p.reset(); err != nil {
		t.Fatal(err)
	}
	c, err := p.newClient()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	var whole answer
	for _, raw := range pieces {
		a, _, err := c.exchange(nil, raw, false)
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		whole.direct, whole.front = append(whole.direct, a.direct...), append(whole.front, a.front...)
		whole.directClosed, whole.frontClosed = a.directClosed, a.frontClosed
		if len(a.direct) != len(a.front) {
			break
		}
	}
	if m := c.judge(st.commands, whole); m != nil {
		r.add(where, string(st.raw), m)
	}
}
