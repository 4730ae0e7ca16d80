package conformance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"steadis/test/harness"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(closing{m}, goleak.Cleanup(os.Exit))
}

// closing ends the shared processes before leaks are looked for.
type closing struct{ m *testing.M }

func (c closing) Run() int {
	code := c.m.Run()
	if whole() {
		for _, d := range differences {
			if !d.used.Load() {
				fmt.Fprintf(os.Stderr, "FAIL: the table of differences has an entry that no test needs: %s (%s)\n", d.name, d.reason)
				code = max(code, 1)
			}
		}
	}
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	program.Remove()
	return code
}

// whole says whether every test has run, with a steadis, so that each entry of the
// table of differences must have been needed.
func whole() bool {
	run, list := flag.Lookup("test.run"), flag.Lookup("test.list")
	return run.Value.String() == "" && list.Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && shared.pair != nil && shared.pair.steadis != nil
}

// program is the steadis under test, unless TEST_BINARY names another.
var program harness.Program

func steadisBinary(t testing.TB) string {
	t.Helper()
	switch path := os.Getenv("TEST_BINARY"); path {
	case "":
		return program.Path(t)
	case "none":
		return ""
	default:
		return path
	}
}

// shared are the servers that all tests but those of odd replies use, one test
// after the other.
var shared sharedPair

type sharedPair struct {
	once sync.Once
	pair *pair
	err  error
}

// servers gives the pair with steadis on the one side, empty and with the keys of
// the fixture, and looks at the end of the test whether steadis still serves.
func servers(t testing.TB) *pair {
	t.Helper()
	binary := steadisBinary(t)
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		shared.pair, shared.err = startPair(ctx, binary)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	if err := shared.pair.reset(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if shared.pair.steadis != nil && !shared.pair.steadis.Alive() {
			t.Errorf("steadis has ended:\n%s", shared.pair.steadis.LogTail())
		}
	})
	return shared.pair
}

// full says whether the long run was asked for.
func full() bool { return os.Getenv("TEST_CONFORMANCE") == "full" }

func (s *sharedPair) close() error {
	if s.pair == nil {
		return nil
	}
	return s.pair.close()
}
