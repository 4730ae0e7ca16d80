package conformance

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestRefused asks steadis alone for what it refuses: each gets its error, MULTI is
// void by it, and the server behind is what it was.
func TestRefused(t *testing.T) {
	p := servers(t)
	if p.steadis == nil {
		t.Skip("there is no steadis")
	}
	before, err := do(p.hidden, "CONFIG", "GET", "*")
	if err != nil {
		t.Fatal(err)
	}
	commands := askServed(t, p.plain)
	for _, proto := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", proto), func(t *testing.T) {
			for _, f := range readFamilies(t) {
				for _, tc := range f.cases {
					if tc.flags["refused"] {
						askRefused(t, p, proto, tc, commands[nameOf(tc.commands[0])])
					}
				}
			}
		})
	}
	after, err := do(p.hidden, "CONFIG", "GET", "*")
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Error("refused commands have changed the server's configuration")
	}
	a, b, err := p.digests()
	if role, _ := do(p.hidden, "ROLE"); err != nil || a != b || !strings.Contains(fmt.Sprint(role), "master") {
		t.Errorf("refused commands have changed the server: digests %s %s, role %v, %v", a, b, role, err)
	}
}

// askRefused sends one refused command in every mode, and the shorter forms that
// Redis refuses for their arity: either error will do for those.
func askRefused(t *testing.T, p *pair, proto int, tc testCase, s served) {
	t.Helper()
	cmd := tc.commands[0]
	name := nameOf(cmd)
	refusal := func(frame []byte) bool {
		for _, spelt := range []string{name, strings.ReplaceAll(name, "|", " ")} {
			if bytes.HasPrefix(frame, []byte("-ERR steadis: '"+spelt+"' is refused: ")) {
				return true
			}
		}
		return false
	}
	short := func(frame []byte) bool {
		return refusal(frame) || bytes.HasPrefix(frame, []byte("-ERR wrong number of arguments for '"+name+"' command\r\n"))
	}
	exactly := func(text string) func([]byte) bool {
		return func(frame []byte) bool { return string(frame) == text }
	}
	ok, void := exactly("+OK\r\n"), exactly("-EXECABORT Transaction discarded because of previous errors.\r\n")
	for _, way := range []struct {
		name string
		raw  []byte
		want []func([]byte) bool
	}{
		{"single", encode(cmd...), []func([]byte) bool{refusal}},
		{"inline", encodeInline(cmd...), []func([]byte) bool{refusal}},
		{"pipeline", slices.Concat(encode("ECHO", "a"), encode(cmd...), encode("ECHO", "b")),
			[]func([]byte) bool{exactly("$1\r\na\r\n"), refusal, exactly("$1\r\nb\r\n")}},
		{"multi", slices.Concat(encode("MULTI"), encode(cmd...), encode("EXEC")), []func([]byte) bool{ok, refusal, void}},
		{"too few", encode(cmd[:1+strings.Count(name, "|")]...), []func([]byte) bool{short}},
		{"too many", encode(append(slices.Clone(cmd), "extra", "extra")...), []func([]byte) bool{short}},
	} {
		if way.name == "too few" && (s.arity == 2 || s.arity == -2) && strings.Contains(name, "|") {
			continue // that is the whole command
		}
		got := p.askFront(t, proto, way.raw, len(way.want))
		for i, fits := range way.want {
			if i >= len(got) || !fits(got[i]) {
				t.Errorf("%s, %s: %q answers %q", tc.where, way.name, way.raw, got)
				break
			}
		}
	}
	for _, diff := range differences {
		if diff.refused && diff.name == name {
			diff.used.Store(true)
			return
		}
	}
	t.Errorf("%s: %s is refused and not in the table of differences", tc.where, name)
}

// askFront asks the second side alone, on a fresh connection.
func (p *pair) askFront(t *testing.T, proto int, raw []byte, replies int) [][]byte {
	t.Helper()
	s, err := dial(p.front)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.send(encode("HELLO", fmt.Sprint(proto)))
	s.awaitFrames(1, patience)
	s.collect()
	s.send(raw)
	s.awaitFrames(replies, patience)
	return s.collect()
}
