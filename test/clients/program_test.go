package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// program is a running application. Its methods are for one goroutine, but alive.
type program struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	log   string        // what it says on standard error
	lines []string      // what it said on standard output; valid once ended is closed
	ready chan struct{} // closed once it has said "ready"
	ended chan struct{}
	err   error // how it ended; valid once ended is closed
	done  atomic.Bool
}

// start runs a program in dir. It is killed at the end of the test if it still runs then.
func start(t *testing.T, name, dir string, env []string, argv ...string) *program {
	t.Helper()
	p := &program{name: name, log: filepath.Join(t.TempDir(), "log"), ready: make(chan struct{}), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	must(t, err)
	defer log.Close()
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), argv[0], argv[1:]...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stderr = dir, append(append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8"), env...), log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.stdin, err = p.cmd.StdinPipe()
	must(t, err)
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	go p.follow(out)
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // and its children; an error says that there are none
		<-p.ended
		if t.Failed() {
			t.Logf("%s said:\n%s", p.name, p.tail())
		}
	})
	return p
}

// follow owns the standard output and waits for the end.
func (p *program) follow(out io.Reader) {
	defer close(p.ended)
	said := bufio.NewScanner(out)
	said.Buffer(nil, 16<<20)
	isReady := false
	for said.Scan() {
		if said.Text() == "ready" && !isReady {
			isReady = true
			close(p.ready)
		}
		p.lines = append(p.lines, said.Text())
	}
	p.err = errors.Join(said.Err(), p.cmd.Wait())
	p.done.Store(true)
}

func (p *program) alive() bool { return !p.done.Load() }

// awaitReady waits until the program has said that it works.
func (p *program) awaitReady(t *testing.T) {
	t.Helper()
	select {
	case <-p.ready:
	case <-p.ended:
		t.Fatalf("%s ended before it was ready: %v\n%s", p.name, p.err, p.tail())
	case <-time.After(30 * time.Second):
		t.Fatalf("%s is not ready after 30 s\n%s", p.name, p.tail())
	}
}

// finish ends the program's standard input, waits until it has ended by itself and gives its reports.
func (p *program) finish(t *testing.T, patience time.Duration) []report {
	t.Helper()
	_ = p.stdin.Close()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Errorf("%s does not come to its end in %v", p.name, patience)
		return nil
	}
	if p.err != nil {
		t.Errorf("%s: %v", p.name, p.err)
	}
	var reports []report
	for _, line := range p.lines {
		if strings.HasPrefix(line, "{") {
			var r report
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Errorf("%s: %v: %s", p.name, err, line)
			}
			reports = append(reports, r)
		}
	}
	if len(reports) == 0 {
		t.Errorf("%s has reported nothing", p.name)
	}
	return reports
}

// stop asks a worker to end and says whether it had ended before: that is, whether it died.
func (p *program) stop(t *testing.T) (died bool) {
	t.Helper()
	if !p.alive() {
		return true
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		t.Errorf("%s does not end in 30 s of SIGTERM", p.name)
	}
	return false
}

// said gives the lines of the log that contain one of the words.
func (p *program) said(words ...string) []string {
	body, err := os.ReadFile(p.log)
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	for line := range strings.Lines(string(body)) {
		for _, w := range words {
			if strings.Contains(line, w) {
				found = append(found, strings.TrimSpace(line))
				break
			}
		}
	}
	return found
}

// tail gives the end of the log.
func (p *program) tail() string {
	body, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(body[max(0, len(body)-3000):])
}

// report is what a program says of one of its acts.
type report struct {
	// Act is what was done ("writes").
	Act string
	// List is the key of the list to which 1, 2, 3 ... up to Sent were appended, if any.
	List string
	Sent int
	// Doubt are those numbers that the library said it could not tell the fate of, or failed.
	Doubt []int
	// Told counts what reached the application, by the library's words.
	Told map[string]int
	// Reconnects counts connections that were made besides the first one.
	Reconnects int
	// Slowest is the longest wait for a command that does not block by itself, in seconds.
	Slowest float64
	// Lost and Doubled are what the program found out itself.
	Lost, Doubled int
	// Wrong is what must never be, whatever happens to the master.
	Wrong []string
	// Figures are counts of the act's own.
	Figures map[string]int
}

// errors is how often the application saw an error.
func (r *report) errors() int {
	n := 0
	for _, times := range r.Told {
		n += times
	}
	return n
}

// audit compares the list with what the program was told, and adds what it finds.
func (r *report) audit(list []string) {
	times := map[string]int{}
	for _, v := range list {
		times[v]++
	}
	doubt := map[int]bool{}
	for _, n := range r.Doubt {
		doubt[n] = true
	}
	for n := 1; n <= r.Sent; n++ {
		switch have := times[fmt.Sprint(n)]; {
		case have == 0 && !doubt[n]:
			r.Lost++
		case have > 1:
			r.Doubled++
		}
		delete(times, fmt.Sprint(n))
	}
	if len(times) != 0 {
		r.Wrong = append(r.Wrong, fmt.Sprintf("%s has %d values that nobody sent", r.List, len(times)))
	}
}
