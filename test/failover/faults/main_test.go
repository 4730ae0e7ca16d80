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
const binaryVariable = "STEADIS_TEST_BINARY"

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
	code, err := topology.Isolate()
	if err == nil {
		return code
	}
	fmt.Fprintf(os.Stderr, "faults: no network namespaces here (%v): relays on loopback stand in for them\n", err)
	code = m.Run()
	if err := figures.write(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

func runTests(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := figures.write(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}
