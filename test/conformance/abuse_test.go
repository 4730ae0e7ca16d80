package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// abuse is one broken, hostile or odd input.
type abuse struct {
	where, name string
	raw         []byte
}

func readAbuse(t testing.TB) []abuse {
	t.Helper()
	const path = "testdata/protocol/abuse.txt"
	var out []abuse
	for _, l := range readListing(t, path).lines {
		name, text, _ := strings.Cut(l.text, ": ")
		w, err := words(text)
		if err != nil {
			t.Fatalf("%s:%d: %v", path, l.number, err)
		}
		for i := range w {
			w[i] = long(w[i])
		}
		out = append(out, abuse{fmt.Sprintf("abuse.txt:%d", l.number), name, []byte(strings.Join(w, ""))})
	}
	if len(out) < 100 {
		t.Fatalf("only %d inputs", len(out))
	}
	return out
}

// TestAbuse sends each input to a fresh connection of both sides, whole and in two
// pieces, and compares the replies, whether the connection is open then, and if so
// what it answers to a PING behind. Another client of steadis must notice nothing.
func TestAbuse(t *testing.T) {
	p := servers(t)
	r := newReport(t)
	n := newNeighbour(t, p)
	for _, ab := range readAbuse(t) {
		half := len(ab.raw) / 2
		for _, way := range []struct {
			name   string
			pieces [][]byte
		}{
			{"in one write", [][]byte{ab.raw}},
			{"in two writes", [][]byte{ab.raw[:half], ab.raw[half:]}},
			{"behind a command", [][]byte{slices.Concat(encode("GET", "str"), ab.raw)}},
		} {
			where := fmt.Sprintf("%s (%s), %s", ab.where, ab.name, way.name)
			if err := playAbuse(p, r, where, way.pieces); err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			n.check(where)
		}
	}
}

// playAbuse sends pieces, then a PING if the connection is still open.
func playAbuse(p *pair, r *report, where string, pieces [][]byte) error {
	if err := p.reset(); err != nil {
		return err
	}
	c, err := p.newClient()
	if err != nil {
		return err
	}
	defer c.close()
	for _, raw := range append(pieces, []byte("\r\nPING still-there\r\n")) {
		a, _, err := c.exchange(nil, raw, false)
		if err != nil {
			return err
		}
		if m := c.judge(nil, a); m != nil {
			r.add(where, string(raw), m)
			return nil
		}
		if a.directClosed {
			break
		}
	}
	for _, frame := range c.late(true) {
		r.add(where+", at the end", "", &mismatch{owned{}, noReply, string(frame), "it is one too many"})
	}
	if c.front.closed != c.direct.closed {
		r.add(where+", at the end", "", &mismatch{owned{}, end(c.direct.closed), end(c.front.closed), "how it ends"})
	}
	a, b, err := p.digests()
	if err == nil && a != b {
		r.add(where, "", &mismatch{owned{}, a, b, "the data afterwards"})
	}
	return err
}

// neighbour is a well-behaved client of steadis beside the hostile one, on one
// connection all the time.
type neighbour struct {
	t *testing.T
	s *socket
	n int
}

func newNeighbour(t *testing.T, p *pair) *neighbour {
	t.Helper()
	s, err := dial(p.front)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	n := &neighbour{t: t, s: s}
	n.check("at the start")
	return n
}

// check asks twice: what belongs to another one would show at the latest in the
// second reply.
func (n *neighbour) check(where string) {
	n.t.Helper()
	for range 2 {
		n.n++
		word := fmt.Sprintf("neighbour-%d", n.n)
		n.s.send(encode("ECHO", word))
		n.s.awaitFrames(1, patience)
		got := n.s.collect()
		if len(got) != 1 || string(got[0]) != fmt.Sprintf("$%d\r\n%s\r\n", len(word), word) {
			n.t.Fatalf("%s: another client of steadis gets %q for ECHO %s", where, got, word)
		}
	}
}
