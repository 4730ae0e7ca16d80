package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// mode is a way to send the commands of a case.
type mode struct {
	name    string
	derived bool // used for derived cases too
	slow    bool // used for slow cases too
	fits    func(tc testCase) bool
	steps   func(tc testCase) []step
}

// step is what is sent in one write.
type step struct {
	raw      []byte
	commands [][]string
}

func oneWrite(commands ...[]string) step {
	var raw []byte
	for _, c := range commands {
		raw = append(raw, encode(c...)...)
	}
	return step{raw, commands}
}

func eachAlone(commands [][]string) (out []step) {
	for _, c := range commands {
		out = append(out, oneWrite(c))
	}
	return out
}

func around(first []string, commands [][]string, last []string) [][]string {
	return append(append([][]string{first}, commands...), last)
}

func always(testCase) bool       { return true }
func queueable(tc testCase) bool { return !tc.flags["nomulti"] }

var modes = []mode{
	{"single", true, true, always, func(tc testCase) []step { return eachAlone(tc.commands) }},
	{"pipeline", true, false, always, func(tc testCase) []step {
		return []step{oneWrite(around([]string{"ECHO", "before"}, tc.commands, []string{"ECHO", "after"})...)}
	}},
	{"multi in one batch", true, true, queueable, func(tc testCase) []step {
		return []step{oneWrite(around([]string{"MULTI"}, tc.commands, []string{"EXEC"})...)}
	}},
	{"multi step by step", false, false, queueable, func(tc testCase) []step {
		return eachAlone(around([]string{"MULTI"}, tc.commands, []string{"EXEC"}))
	}},
	{"inline", false, false, func(tc testCase) bool { return !tc.flags["noinline"] }, func(tc testCase) (out []step) {
		for _, c := range tc.commands {
			out = append(out, step{encodeInline(c...), [][]string{c}})
		}
		return out
	}},
}

// TestEveryCommandHasACase fails for a command of the running server that the
// tables forget, and for one of the tables that the server does not know.
func TestEveryCommandHasACase(t *testing.T) {
	p := servers(t)
	commands, have := askServed(t, p.plain), specimens(readFamilies(t))
	for name := range commands {
		if _, there := have[name]; !there {
			t.Errorf("%s has no case", name)
		}
	}
	for name := range containers {
		if _, there := commands[name]; !there {
			t.Errorf("%s is no command of this server", name)
		}
	}
}

// TestCommands is every case in every mode, in both protocols.
func TestCommands(t *testing.T) {
	p := servers(t)
	families := readFamilies(t)
	derived := derive(t, p.plain, askServed(t, p.plain), families)
	for _, proto := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", proto), func(t *testing.T) {
			r := &runner{p: p, proto: proto, report: newReport(t)}
			defer r.leave()
			if !r.speaks(t) {
				return
			}
			for _, f := range families {
				t.Run(f.name, func(t *testing.T) { r.family(t, f, false) })
			}
			for _, f := range derived {
				t.Run(f.name, func(t *testing.T) { r.family(t, f, true) })
			}
		})
	}
}

// runner plays cases in one protocol. Cases that leave the connection as it was
// share one.
type runner struct {
	p      *pair
	proto  int
	report *report
	client *client // nil: the next case makes one
	clean  string  // digest of the fixture
	dirty  bool
}

var errHello = errors.New("HELLO is answered differently")

// connect makes a connection of the runner's protocol.
func (r *runner) connect() (*client, *mismatch, error) {
	c, err := r.p.newClient()
	if err != nil || r.proto == 2 {
		return c, nil, err
	}
	hello := oneWrite([]string{"HELLO", "3"})
	a, _, err := c.exchange(nil, hello.raw, false)
	if err != nil {
		return c, nil, err
	}
	if m := c.judge(hello.commands, a); m != nil {
		return c, m, errHello
	}
	return c, nil, nil
}

// speaks says whether steadis speaks the protocol at all: else every case would
// fail for that.
func (r *runner) speaks(t *testing.T) bool {
	c, m, err := r.connect()
	if m != nil {
		r.report.add("the first command", "HELLO 3", m)
		t.Errorf("steadis does not speak RESP%d: none of its cases has run", r.proto)
	} else if err != nil {
		t.Fatal(err)
	}
	c.close()
	return m == nil
}

func (r *runner) leave() {
	if r.client != nil {
		r.client.close()
		r.client = nil
	}
}

func (r *runner) family(t *testing.T, f family, derived bool) {
	for _, tc := range f.cases {
		for _, m := range modes {
			if tc.flags["refused"] || derived && !r.derives(m) || tc.flags["slow"] && !m.slow || !m.fits(tc) {
				continue
			}
			if err := r.play(tc, m); err != nil {
				t.Fatalf("%s, %s: %v", tc.where, m.name, err)
			}
		}
	}
}

// derives says whether derived cases are played in a mode: in RESP3 only as single
// commands, but in the long run.
func (r *runner) derives(m mode) bool {
	return m.derived && (r.proto == 2 || m.name == "single" || full())
}

// play runs one case in one mode and reports the first difference.
func (r *runner) play(tc testCase, m mode) error {
	if tc.flags["fresh"] {
		r.leave()
	}
	used := r.client != nil
	bad, sent, err := r.attempt(tc, m)
	if err != nil {
		return err
	}
	if bad != nil {
		r.leave()
		where := fmt.Sprintf("%s, %s", tc.where, m.name)
		if used {
			again, _, err := r.attempt(tc, m)
			if err != nil {
				return err
			}
			if again == nil {
				bad.why += ", only on a used connection"
			}
		}
		r.report.add(where, sent, bad)
	}
	if tc.flags["fresh"] {
		r.leave()
	}
	return r.p.tidy(tc)
}

// attempt runs a case on the runner's connection, on fresh data.
func (r *runner) attempt(tc testCase, m mode) (bad *mismatch, sent string, err error) {
	if err := r.prepare(); err != nil {
		return nil, "", err
	}
	if r.client == nil {
		if r.client, bad, err = r.connect(); bad != nil {
			return bad, "HELLO 3", nil
		} else if err != nil {
			return nil, "", err
		}
	}
	r.dirty = true
	for _, st := range m.steps(tc) {
		a, _, err := r.client.exchange(nil, st.raw, false)
		if err != nil {
			return nil, "", err
		}
		if bad := r.client.judge(st.commands, a); bad != nil {
			return bad, string(st.raw), nil
		}
		if a.directClosed {
			r.leave()
			break
		}
	}
	return r.compareData(tc)
}

// prepare makes the data those of the fixture, unless they are.
func (r *runner) prepare() error {
	if !r.dirty && r.clean != "" {
		return nil
	}
	if err := r.p.reset(); err != nil {
		return err
	}
	r.dirty = false
	if r.clean != "" {
		return nil
	}
	a, b, err := r.p.digests()
	if err == nil && a != b {
		err = errors.New("the fixture is not the same on both servers")
	}
	r.clean = a
	return err
}

// compareData looks at what a case has left behind.
func (r *runner) compareData(tc testCase) (*mismatch, string, error) {
	a, b, err := r.p.digests()
	if err != nil {
		return nil, "", err
	}
	r.dirty = a != r.clean || b != r.clean || changesMore(tc)
	if a != b && !tc.flags["chance"] {
		last := tc.commands[len(tc.commands)-1]
		return &mismatch{owned{name: nameOf(last), command: last}, "digest " + a, "digest " + b, "the data afterwards"}, "", nil
	}
	return nil, "", nil
}

// changesMore says whether a case changes what is no data, so that the digest does
// not show it.
func changesMore(tc testCase) bool {
	return slices.ContainsFunc(tc.commands, func(c []string) bool {
		name := strings.ToLower(c[0])
		return name == "script" || name == "function" || strings.HasPrefix(name, "eval") || strings.HasPrefix(name, "fcall")
	})
}
