package conformance

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// report gathers the differences of one test, so that a cause which shows in a
// thousand cases is one line with one example.
type report struct {
	mu     sync.Mutex // guards groups; no I/O under it
	groups map[string]*group
}

type group struct {
	key     string
	count   int
	example string
	others  []string // where else, a few of them
}

func newReport(t *testing.T) *report {
	r := &report{groups: map[string]*group{}}
	t.Cleanup(func() { r.tell(t) })
	return r
}

// add notes a difference. where says in which case it was, sent what was sent.
func (r *report) add(where, sent string, m *mismatch) {
	name := m.name
	if name == "" {
		name = "(no command)"
	}
	key := fmt.Sprintf("%s: direct %s, steadis %s (%s)", name, signature(m.direct), signature(m.front), m.why)
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.groups[key]
	if g == nil {
		g = &group{key: key, example: fmt.Sprintf("%s\n  sent    %s\n  command %s\n  direct  %s\n  steadis %s",
			where, clip(sent), clip(strings.Join(m.command, " ")), clip(m.direct), clip(m.front))}
		r.groups[key] = g
	} else if len(g.others) < 12 {
		g.others = append(g.others, where)
	}
	g.count++
}

// most is how many kinds of differences a test prints.
const most = 120

// tell fails the test for each kind of difference, the most frequent ones first.
func (r *report) tell(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	groups := make([]*group, 0, len(r.groups))
	for _, g := range r.groups {
		groups = append(groups, g)
	}
	r.mu.Unlock()
	slices.SortFunc(groups, func(a, b *group) int { return cmp.Or(b.count-a.count, strings.Compare(a.key, b.key)) })
	total := 0
	var whole strings.Builder
	for i, g := range groups {
		total += g.count
		text := fmt.Sprintf("%d times %s\n e.g. %s", g.count, g.key, g.example)
		for _, where := range g.others {
			text += "\n  also    " + where
		}
		fmt.Fprintf(&whole, "%s: %s\n", t.Name(), text)
		if i < most {
			t.Error(text)
		}
	}
	if len(groups) > 0 {
		t.Errorf("%d differences of %d kinds", total, len(groups))
	}
	if path := os.Getenv("TEST_CONFORMANCE_REPORT"); path != "" && whole.Len() > 0 {
		appendFile(t, path, whole.String())
	}
}

func appendFile(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Error(err)
	}
}

var (
	digits      = regexp.MustCompile(`\d+`)
	quotedWords = regexp.MustCompile(`'[^']*'`)
)

// signature is the beginning of a reply without what is in it by chance.
func signature(reply string) string {
	s := quotedWords.ReplaceAllString(digits.ReplaceAllString(reply, "0"), "'...'")
	if len(s) > 70 {
		s = s[:70] + "..."
	}
	return fmt.Sprintf("%q", s)
}

func clip(s string) string {
	if len(s) > 500 {
		s = s[:250] + "  [...]  " + s[len(s)-200:]
	}
	return fmt.Sprintf("%q", s)
}
