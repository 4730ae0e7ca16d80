package restart

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"steadis/test/topology"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if program.dir != "" {
			_ = os.RemoveAll(program.dir)
		}
		os.Exit(code)
	}))
}

// program is the steadis under test, built once.
var program struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func steadisBinary(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "steadis-restart-"); program.err != nil {
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

// restarts is how often each test restarts steadis.
func restarts(t *testing.T) int {
	t.Helper()
	text := os.Getenv("STEADIS_RESTARTS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("STEADIS_RESTARTS=%q: want a number from 1", text)
	}
	return n
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startDeployment starts a deployment for one test.
func startDeployment(t *testing.T) *topology.Deployment {
	t.Helper()
	d, err := topology.Start(within(t, 2*time.Minute), topology.Options{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// startSteadis runs steadis with a path for its successors.
func startSteadis(t *testing.T, d *topology.Deployment, args ...string) *topology.Steadis {
	t.Helper()
	dir, binary := t.TempDir(), steadisBinary(t) // which takes its time
	s, err := topology.RunSteadis(within(t, time.Minute), topology.SteadisOptions{
		Binary: binary,
		Args: append([]string{"--sentinel", d.SentinelAddrs(), "--master", d.Name(), "--handover", filepath.Join(dir, "handover"),
			"--admin-token", "for-tests-only"}, args...),
		Dir: dir,
	})
	must(t, err)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("end of steadis' log:\n%s", s.LogTail())
		}
	})
	return s
}

// poll asks condition until it is content; it fails the test with condition's last
// complaint when ctx ends.
func poll(ctx context.Context, t *testing.T, what string, condition func() error) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
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

var errNotYet = fmt.Errorf("not yet")

// logOf gives all that the processes of s have logged.
func logOf(t *testing.T, s *topology.Steadis) string {
	t.Helper()
	text, err := os.ReadFile(s.Log())
	must(t, err)
	return string(text)
}
