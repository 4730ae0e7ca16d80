package conformance

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dialogue is a conversation of several clients, of which each line is one of:
//
//	A> command ; command    A sends that in one write; then everybody's replies are compared
//	A~ command              the same, but A may stay blocked
//	A close                 A hangs up, on both sides
//
// A client begins with its first line. ${A.id} and ${A.addr} are A's id and address
// as the side that is asked knows them.
type dialogue struct {
	where, name string
	lines       []listed
	only        int // the one protocol in which it makes sense, or 0
}

// readDialogues reads testdata/dialogues: each begins with "--- name", or
// "--- [resp3] name".
func readDialogues(t testing.TB) []dialogue {
	t.Helper()
	paths, err := filepath.Glob("testdata/dialogues/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	var out []dialogue
	for _, path := range paths {
		for _, l := range readListing(t, path).lines {
			name, isName := strings.CutPrefix(l.text, "--- ")
			switch {
			case isName:
				d := dialogue{where: fmt.Sprintf("%s:%d", filepath.Base(path), l.number), name: name}
				for proto := 2; proto <= 3; proto++ {
					if rest, found := strings.CutPrefix(name, fmt.Sprintf("[resp%d] ", proto)); found {
						d.name, d.only = rest, proto
					}
				}
				out = append(out, d)
			case len(out) == 0:
				t.Fatalf("%s:%d: no name before it", path, l.number)
			default:
				out[len(out)-1].lines = append(out[len(out)-1].lines, l)
			}
		}
	}
	return out
}

// TestDialogues plays every dialogue in both protocols.
func TestDialogues(t *testing.T) {
	p := servers(t)
	for _, proto := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", proto), func(t *testing.T) {
			r := newReport(t)
			for _, d := range readDialogues(t) {
				if d.only != 0 && d.only != proto {
					continue
				}
				found, err := play(p, proto, d, false)
				if err := errors.Join(err, p.putBack()); err != nil {
					t.Errorf("%s (%s): %v", d.where, d.name, err)
				}
				for _, f := range found {
					r.add(f.where, f.sent, f.mismatch)
				}
			}
		})
	}
}

// found is a difference in a dialogue.
type found struct {
	line  int // of the listing; 0 at the end
	where string
	sent  string
	*mismatch
}

// stage is where a dialogue is played.
type stage struct {
	p       *pair
	proto   int
	clients map[string]*client
	ids     bool // the dialogue needs ids: each client asks for its own first
	revive  bool // who has been disconnected connects again with its next line
}

// play plays a dialogue up to the first line that shows a difference.
func play(p *pair, proto int, d dialogue, revive bool) ([]found, error) {
	s := stage{p: p, proto: proto, clients: map[string]*client{}, revive: revive}
	defer s.leave()
	return s.play(d)
}

func (s *stage) leave() {
	for _, c := range s.clients {
		c.close()
	}
}

var (
	spokenLine = regexp.MustCompile(`^([A-Z])([>~]) (.*)$`)
	closeLine  = regexp.MustCompile(`^([A-Z]) close$`)
	variable   = regexp.MustCompile(`\$\{([A-Z])\.(id|addr)\}`)
)

func (s *stage) play(d dialogue) ([]found, error) {
	if err := s.p.reset(); err != nil {
		return nil, err
	}
	s.ids = slices.ContainsFunc(d.lines, func(l listed) bool { return strings.Contains(l.text, ".id}") })
	for _, l := range d.lines {
		if m := closeLine.FindStringSubmatch(l.text); m != nil {
			if err := s.hangUp(m[1]); err != nil {
				return nil, err
			}
			continue
		}
		m := spokenLine.FindStringSubmatch(l.text)
		if m == nil {
			return nil, fmt.Errorf("line %d: %q", l.number, l.text)
		}
		who, bad, err := s.speak(m[1], m[3], m[2] == "~")
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", l.number, err)
		}
		if bad != nil {
			where := fmt.Sprintf("%s, line %d (%s), what %s gets", d.where, l.number, d.name, who)
			return []found{{l.number, where, l.text, bad}}, nil
		}
	}
	return s.end(d)
}

// speak sends one line and compares what everybody gets. It says who got
// something else.
func (s *stage) speak(name, text string, blocks bool) (who string, bad *mismatch, err error) {
	c, err := s.client(name)
	if err != nil {
		return "", nil, err
	}
	direct, commands, err := s.encode(text, false) // it may make other clients
	if err != nil {
		return "", nil, err
	}
	front, _, err := s.encode(text, true)
	if err != nil {
		return "", nil, err
	}
	names := s.names()
	others := make([]*client, len(names))
	for i, n := range names {
		others[i] = s.clients[n]
	}
	_, answers, err := c.exchangeApart(others, direct, front, blocks)
	if err != nil {
		return "", nil, err
	}
	for i, n := range names {
		var sent [][]string
		if n == name {
			sent = commands
		}
		if m := others[i].judge(sent, answers[i]); m != nil {
			return n, m, nil
		}
	}
	return "", nil, nil
}

func (s *stage) names() []string {
	var names []string
	for n := range s.clients {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// client gives the client of that name, and makes it if it is new.
func (s *stage) client(name string) (*client, error) {
	if c := s.clients[name]; c != nil && !(s.revive && c.direct.closed) {
		return c, nil
	} else if c != nil {
		c.close()
	}
	c, err := s.p.newClient()
	if err != nil {
		return nil, err
	}
	s.clients[name] = c
	if s.ids {
		if err := c.identify(); err != nil {
			return nil, err
		}
	}
	if s.proto == 2 {
		return c, nil
	}
	hello := oneWrite([]string{"HELLO", fmt.Sprint(s.proto)})
	a, _, err := c.exchange(nil, hello.raw, false)
	if err != nil {
		return nil, err
	}
	if m := c.judge(hello.commands, a); m != nil {
		return nil, fmt.Errorf("HELLO %d answers %q", s.proto, m.front)
	}
	return c, nil
}

// encode makes bytes of a line, with the variables of one side.
func (s *stage) encode(text string, front bool) (raw []byte, commands [][]string, err error) {
	text = variable.ReplaceAllStringFunc(text, func(v string) string {
		m := variable.FindStringSubmatch(v)
		c, failed := s.client(m[1])
		switch {
		case failed != nil:
			err = failed
			return ""
		case m[2] == "id" && front:
			return c.frontID
		case m[2] == "id":
			return c.id
		case front:
			return c.front.nc.LocalAddr().String()
		}
		return c.direct.nc.LocalAddr().String()
	})
	if err != nil {
		return nil, nil, err
	}
	if commands, err = commandsOf(text); err != nil {
		return nil, nil, err
	}
	return oneWrite(commands...).raw, commands, nil
}

// hangUp closes a client's connections and waits until nobody is blocked for it.
func (s *stage) hangUp(name string) error {
	c := s.clients[name]
	if c == nil {
		return fmt.Errorf("%s is not there", name)
	}
	c.close()
	delete(s.clients, name)
	if err := s.p.awaitGone(c); err != nil {
		return err
	}
	return s.p.awaitBlocked()
}

// end looks for replies and pushes that only steadis sends, and at the data.
func (s *stage) end(d dialogue) (out []found, err error) {
	add := func(who string, m *mismatch) {
		out = append(out, found{0, fmt.Sprintf("%s, at the end (%s)%s", d.where, d.name, who), "", m})
	}
	for i, n := range s.names() {
		c, who := s.clients[n], ", what "+n+" gets"
		for _, frame := range c.late(i == 0) {
			add(who, &mismatch{owned{}, noReply, string(frame), "it is one too many"})
		}
		if c.front.closed != c.direct.closed {
			add(who, &mismatch{owned{}, end(c.direct.closed), end(c.front.closed), "how it ends"})
		}
	}
	a, b, err := s.p.digests()
	if err == nil && a != b {
		add("", &mismatch{owned{}, a, b, "the data afterwards"})
	}
	return out, err
}
