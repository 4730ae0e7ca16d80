package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"steadis/test/harness"
)

// What all tests of real deployments share.
var within, must = harness.Within, harness.Must

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		built.Remove()
		if err := recorded.write(os.Getenv("TEST_RESULTS")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}

// built is the steadis under test.
var built harness.Program

// rounds is how many failovers of each kind there are: 1, or what `make clients` says.
func rounds(t *testing.T) int {
	t.Helper()
	return harness.Number(t, "TEST_ROUNDS", 1)
}

// figures says whether this is `make clients`.
func figures() bool { return os.Getenv("TEST_ROUNDS") != "" }

// jobs is how many jobs a queue gets: 400 for each round of figures, 100 in the short form.
func jobs(t *testing.T) int {
	if figures() {
		return 400 * rounds(t)
	}
	return 100
}

// onlyFigures skips a test in the short form.
func onlyFigures(t *testing.T) {
	t.Helper()
	if !figures() {
		t.Skip("only in make clients")
	}
}

// python is the interpreter that has the distribution's packages.
const python = "/usr/bin/python3"

// needPython skips the test if Debian's Python has not all of the modules.
func needPython(t *testing.T, modules ...string) {
	t.Helper()
	for _, m := range modules {
		if err := exec.CommandContext(t.Context(), python, "-c", "import "+m).Run(); err != nil {
			t.Skipf("%s has no %s: test/setup.sh --clients installs it", python, m)
		}
	}
}

// need skips the test if a program is not installed.
func need(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			t.Skipf("there is no %s: test/setup.sh --clients installs it", n)
		}
	}
}

// here is the directory of the programs, as an absolute path.
func here(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("programs")
	must(t, err)
	return path
}

// perSecond is how many jobs are enqueued each second, so that they last as long as the failovers.
func perSecond() string {
	if figures() {
		return "16"
	}
	return "4"
}
