package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"steadis/test/topology"
)

// binaryVariable tells the isolated process where its steadis is: without a
// network it could not fetch what a build may need.
const binaryVariable = "TEST_FAULTS_BINARY"

func TestMain(m *testing.M) {
	if topology.Isolated() {
		runTests(m)
		return
	}
	os.Exit(runHere(m))
}

// runHere builds steadis and runs the tests, in a network namespace of their own
// if the machine has them.
func runHere(m *testing.M) int {
	dir, err := os.MkdirTemp("", "steadis-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "steadis")
	if err := topology.BuildSteadis(binary); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.Setenv(binaryVariable, binary); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code, err := playLanes(dir)
	if err == nil {
		return code
	}
	fmt.Fprintf(os.Stderr, "faults: no network namespaces here (%v): relays on loopback stand in for them\n", err)
	return max(m.Run(), written(figures.write()))
}

// written says what became of a file that this process had to write: 0, or 1 and why.
func written(err error) (code int) {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func runTests(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.Exit(max(code, written(figures.save())))
	}))
}
