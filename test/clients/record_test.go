package clients

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"steadis/test/failover/results"
)

// recorded collects what all tests have measured. `make clients` has it written.
var recorded table

type table struct {
	mu    sync.Mutex // guards what follows
	rows  [][]string // for RESULTS.md
	users [][]string // for README.md
}

// row adds a line: what was tried, what was done to it, and what came of it.
func (tab *table) row(t *testing.T, what, ordeal, format string, args ...any) {
	t.Helper()
	figure := fmt.Sprintf(format, args...)
	t.Logf("%s; %s: %s", what, ordeal, figure)
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.rows = append(tab.rows, []string{what, ordeal, figure})
}

// user adds what a library's user saw, for the README. Several tests of one library make one line.
func (tab *table) user(library, version, ordeal, format string, args ...any) {
	saw := fmt.Sprintf(format, args...)
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for _, row := range tab.users {
		if row[0] == library {
			row[2], row[3] = row[2]+"; "+ordeal, row[3]+"; "+saw
			return
		}
	}
	tab.users = append(tab.users, []string{library, version, ordeal, saw})
}

const (
	readmePath = "../../README.md"
	begin, end = "<!-- written by make clients -->\n", "<!-- end -->\n"
)

// measured is when, and of which commit: that of the beginning, of which steadis was built.
var measured = time.Now().UTC().Format(time.DateOnly) + ", " + commit()

// write brings both documents up to date, RESULTS.md at path; what this run has not measured
// stays. An empty path writes nothing.
func (tab *table) write(path string) error {
	if path == "" {
		return nil
	}
	for i := range tab.rows {
		tab.rows[i] = append(tab.rows[i], measured)
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	rows := merge(rowsOf(string(old)), tab.rows, 2)
	document := "# Real applications through failovers\n\nWritten by `make clients`. " + results.Origin() + "\n" +
		"A master, 2 replicas, 3 Sentinels, down-after 1 s, all on loopback. *default* is steadis as it comes, *durable* with\n" +
		"`durable.replicas: 1`, *retry* with `in_doubt: retry`. Rows are of the commit that they name.\n\n" +
		tableOf([]string{"what", "put through", "came of it", "measured"}, rows)
	if err := os.WriteFile(path, []byte(document), 0o644); err != nil {
		return err
	}
	return tab.writeReadme()
}

func (tab *table) writeReadme() error {
	body, err := os.ReadFile(readmePath)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(body), begin)
	old, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no place for the table of clients: %q ... %q", readmePath, begin, end)
	}
	rows := tableOf([]string{"library", "version", "put through", "what its user saw"}, merge(rowsOf(old), tab.users, 1))
	return os.WriteFile(readmePath, []byte(before+begin+rows+end+after), 0o644)
}

// merge replaces the rows whose first cells, so many, are those of a new one, and adds the others.
func merge(old, fresh [][]string, key int) [][]string {
	for _, row := range fresh {
		at := slices.IndexFunc(old, func(o []string) bool { return slices.Equal(o[:key], row[:key]) })
		if at < 0 {
			old = append(old, row)
		} else {
			old[at] = row
		}
	}
	slices.SortStableFunc(old, func(a, b []string) int { return strings.Compare(strings.ToLower(a[0]), strings.ToLower(b[0])) })
	return old
}

// rowsOf gives the rows of the table in the text, without its head.
func rowsOf(text string) [][]string {
	var rows [][]string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "| ") {
			rows = append(rows, strings.Split(strings.Trim(line, "| "), " | "))
		}
	}
	return rows[min(1, len(rows)):]
}

func tableOf(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	b.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	for _, row := range rows {
		line(row)
	}
	return b.String()
}

// commit describes the checkout; "+" says that files differ from it, other than those written here.
func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	changed, err := exec.Command("git", "status", "--porcelain", "--", ":/", ":(exclude,top)README.md", ":(exclude,top)test/clients/RESULTS.md").Output()
	if err == nil && len(changed) > 0 {
		return strings.TrimSpace(string(out)) + "+"
	}
	return strings.TrimSpace(string(out))
}

func TestRowsAreMerged(t *testing.T) {
	old := tableOf([]string{"what", "saw"}, [][]string{{"a", "1"}, {"c", "3"}})
	got := merge(rowsOf("text\n"+old+"text\n"), [][]string{{"b", "2"}, {"c", "4"}}, 1)
	if want := [][]string{{"a", "1"}, {"b", "2"}, {"c", "4"}}; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %v, want %v", got, want)
	}
}
