package failover

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"steadis/test/failover/results"
	"steadis/test/harness"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		program.Remove()
		if err := measured.write(os.Getenv("TEST_RESULTS")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}

// program is the steadis under test: these
// are measurements (the scenario tests look for races).
var program harness.Program

// rounds is how often each failover is repeated.
func rounds(t *testing.T) int {
	t.Helper()
	return harness.Number(t, "TEST_ROUNDS", 2)
}

// table collects the measured figures of all tests.
type table struct {
	mu   sync.Mutex // guards rows
	rows []row
}

type row struct{ what, figure, bound string }

var measured table

// record adds a figure and prints it.
func (tab *table) record(t *testing.T, what, bound, format string, args ...any) {
	t.Helper()
	r := row{what, fmt.Sprintf(format, args...), bound}
	t.Logf("%s: %s (bound: %s)", r.what, r.figure, r.bound)
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.rows = append(tab.rows, r)
}

func (tab *table) write(path string) error {
	section := results.Section{
		Title: "Rounds",
		Intro: "`make failover`. " + results.Origin() + "\n" +
			"Real redis-server and Sentinel processes on loopback: a master, 2 replicas, 3 Sentinels, down-after 1 s.",
		Header: []string{"what", "measured", "bound"},
	}
	for _, r := range tab.rows {
		section.Rows = append(section.Rows, []string{r.what, r.figure, r.bound})
	}
	return section.Write(path)
}
