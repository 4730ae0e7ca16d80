package main

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDemoRefusesNonsense(t *testing.T) {
	for args, want := range map[string]string{
		"demo --kind earthquake": "want crash, freeze or failover",
		"demo --rounds 0":        "want at least 1",
		"demo extra":             "unknown command \"extra\"",
	} {
		code, _, stderr := steadis(t.Context(), nil, strings.Fields(args)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %q", args, code, stderr)
		}
	}
}

// The whole demo, with the program as it is built, ended in --keep by the user:
// the verdict is good, and nothing is left running.
func TestDemo(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "steadis")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out output
	d := &demo{kind: "failover", rounds: 1, keep: true, binary: binary, view: newDemoView(&out, nil)}
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	var err error
	for running := true; running; {
		select {
		case err = <-ended:
			running = false
		case <-time.After(20 * time.Millisecond):
			if strings.Contains(out.String(), "Ctrl-C") && strings.Count(out.String(), "admin http://") == 2 {
				cancel()
			}
		}
	}
	text := out.String()
	if err != nil || strings.Contains(text, "BAD") {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, want := range []string{"SENTINEL FAILOVER", "+try-failover", "holding", "serving commands from redis-", "longest wait", "lost          ok"} {
		if !strings.Contains(text, want) {
			t.Errorf("the demo does not show %q:\n%s", want, text)
		}
	}
	pids := regexp.MustCompile(`\(pid (\d+)\)`).FindAllStringSubmatch(text, -1)
	if len(pids) != 14 {
		t.Errorf("%d pids shown, want 7 twice", len(pids))
	}
	for _, match := range pids {
		pid, _ := strconv.Atoi(match[1])
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is left: kill says %v", pid, err)
		}
	}
}

func TestDemoWithoutRedis(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	code, _, stderr := steadis(t.Context(), nil, "demo")
	if code != exitFailure || !strings.Contains(stderr, "redis-server is not installed") {
		t.Errorf("code %d, %q", code, stderr)
	}
}
