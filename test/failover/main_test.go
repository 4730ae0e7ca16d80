package failover

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"steadis/test/failover/results"
	"steadis/test/topology"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if program.dir != "" {
			_ = os.RemoveAll(program.dir)
		}
		if err := measured.write(os.Getenv("STEADIS_RESULTS")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}

// program is the steadis under test, built once, without the race detector: these
// are measurements (the scenario tests look for races).
var program struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func steadisBinary(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "steadis-failover-"); program.err != nil {
			return
		}
		program.path = filepath.Join(program.dir, "steadis")
		program.err = topology.BuildSteadis(program.path)
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.path
}

// rounds is how often each failover is repeated.
func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("STEADIS_ROUNDS")
	if text == "" {
		return 2
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("STEADIS_ROUNDS=%q: want a number from 1", text)
	}
	return n
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
