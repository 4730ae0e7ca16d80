// Package page opens steadis' live page in a headless Chromium, in front of a real
// deployment that loses its master.
package page

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"steadis/test/topology"
)

// binary is the steadis under test.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "steadis-page-")
	if err == nil {
		binary = dir + "/steadis"
		err = topology.BuildSteadis(binary)
	}
	if err != nil {
		println("the page's tests need steadis:", err.Error())
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}
