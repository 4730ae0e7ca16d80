// Package harness has what tests of real deployments share: the program under test, and
// ways to wait and to fail. Only tests import it.
package harness

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"steadis/test/topology"
)

// Program is steadis as tests run it: built when it is first asked for, without the race
// detector. The zero value is ready; it may be used concurrently. Remove is for TestMain.
type Program struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// Path builds the program, once, and returns where it is. It fails the test if it cannot.
func (p *Program) Path(t testing.TB) string {
	t.Helper()
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "steadis-test-"); p.err != nil {
			return
		}
		p.path = filepath.Join(p.dir, "steadis")
		p.err = topology.BuildSteadis(p.path)
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.path
}

// Remove removes what Path has built, if anything.
func (p *Program) Remove() {
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

// Number reads a variable that holds a number from 1.
func Number(t *testing.T, name string, byDefault int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return byDefault
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number from 1", name, text)
	}
	return n
}

// Within returns a context that ends after d, and with the test.
func Within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// Must fails the test at an error.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Poll asks condition until it is content; it fails the test with condition's last
// complaint when ctx ends.
func Poll(ctx context.Context, t *testing.T, what string, condition func() error) {
	t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %v", what, err)
		case <-ticker.C:
		}
	}
}
