package restart

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"steadis/test/harness"
	"steadis/test/topology"
)

// What all tests of real deployments share.
var within, must, poll = harness.Within, harness.Must, harness.Poll

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		program.Remove()
		os.Exit(code)
	}))
}

// program is the steadis under test.
var program harness.Program

// restarts is how often each test restarts steadis.
func restarts(t *testing.T) int {
	t.Helper()
	return harness.Number(t, "TEST_RESTARTS", 3)
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
	dir, binary := t.TempDir(), program.Path(t) // which takes its time
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

var errNotYet = fmt.Errorf("not yet")

// logOf gives all that the processes of s have logged.
func logOf(t *testing.T, s *topology.Steadis) string {
	t.Helper()
	text, err := os.ReadFile(s.Log())
	must(t, err)
	return string(text)
}
