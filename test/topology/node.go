package topology

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"steadis/test/workload/wire"
)

// pollEvery is how often a server is asked whether it is where we wait for it
// to be.
const pollEvery = 10 * time.Millisecond

// Node is one server process: a Redis node or a Sentinel. Its methods may be
// called concurrently; those that change the process (Kill, Restart ...) are for
// one goroutine at a time.
type Node struct {
	// Label names it in logs and time lines ("redis-0", "sentinel-2").
	Label string
	// Relay stands before the node if Options.Relays asked for it, else nil.
	Relay *Relay
	// Host is where it runs if Options.Network asked for hosts, else nil.
	Host *Host

	sentinel bool
	password string
	tls      *tls.Config // what Dial connects with; nil without TLS
	dir      string
	port     int

	mu     sync.Mutex // guards proc and frozen; no I/O under it but starting and signalling
	proc   *process
	frozen bool
}

// Addr is the address that the node is known by: the relay's, if it has one.
func (n *Node) Addr() string {
	if n.Relay != nil {
		return n.Relay.Addr()
	}
	return n.DirectAddr()
}

// DirectAddr is where the process itself listens.
func (n *Node) DirectAddr() string { return net.JoinHostPort(n.Host.ip(), strconv.Itoa(n.port)) }

// PID is the process id of the current or last process.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc == nil {
		return 0
	}
	return n.proc.pid()
}

// Alive says whether the process exists, frozen or not.
func (n *Node) Alive() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.proc != nil && n.proc.alive()
}

// Kill ends the process with SIGKILL, frozen or not, and returns once it is gone.
func (n *Node) Kill() error {
	p := n.process()
	if p == nil {
		return nil
	}
	err := p.kill()
	n.setFrozen(false)
	return err
}

// Term asks the process to end and returns once it is gone. Redis 7 waits up to
// 10 s for its replicas; after 15 s it is killed and that is an error.
func (n *Node) Term() error {
	p := n.process()
	if p == nil {
		return nil
	}
	_, byItself, err := p.stop(15 * time.Second)
	if err == nil && !byItself {
		err = fmt.Errorf("%s did not end within 15 s of SIGTERM and was killed", n.Label)
	}
	return err
}

// Freeze stops the process (SIGSTOP): its connections stay open and silent.
func (n *Node) Freeze() error {
	n.setFrozen(true)
	return n.process().signal(syscall.SIGSTOP)
}

// Thaw lets a frozen process go on (SIGCONT).
func (n *Node) Thaw() error {
	n.setFrozen(false)
	return n.process().signal(syscall.SIGCONT)
}

// Restart starts the process again with the configuration that its predecessor
// left, and returns once it answers. The port stays the same. A node that was
// the master comes back as a master: it is Sentinel's to demote it.
func (n *Node) Restart(ctx context.Context) error {
	if n.Alive() {
		return fmt.Errorf("%s still runs (pid %d)", n.Label, n.PID())
	}
	return n.start(ctx)
}

// RestartEmpty is Restart without the data: a replica keeps a dump of its last full
// synchronisation, which it would load.
func (n *Node) RestartEmpty(ctx context.Context) error {
	if err := os.Remove(filepath.Join(n.dir, "dump.rdb")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return n.Restart(ctx)
}

// Dial opens a connection to the process itself and authenticates it.
func (n *Node) Dial(ctx context.Context) (*wire.Conn, error) {
	c, err := n.dial(ctx)
	if err != nil {
		return nil, err
	}
	if n.password != "" {
		if _, err := c.Do(ctx, "AUTH", n.password); err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("AUTH at %s: %w", n.Label, err)
		}
	}
	return c, nil
}

// Do sends one command over a connection of its own, past any relay, and waits
// for the reply at most until ctx ends. An error reply is a wire.Error.
func (n *Node) Do(ctx context.Context, args ...string) (any, error) {
	c, err := n.Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Do(ctx, args...)
}

// Info asks for one section of INFO and gives its fields.
func (n *Node) Info(ctx context.Context, section string) (map[string]string, error) {
	reply, err := n.Do(ctx, "INFO", section)
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for line := range strings.SplitSeq(fmt.Sprint(reply), "\r\n") {
		if name, value, found := strings.Cut(line, ":"); found {
			fields[name] = value
		}
	}
	return fields, nil
}

// LogTail gives the last lines of what the process printed.
func (n *Node) LogTail() string { return tail(n.Log()) }

// Log returns the path of what the process has printed.
func (n *Node) Log() string { return filepath.Join(n.dir, "log") }

func (n *Node) process() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.proc
}

func (n *Node) setFrozen(frozen bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frozen = frozen
}

func (n *Node) isFrozen() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.frozen
}

// start runs the process and waits until *it* answers on the port: the reply
// must name its pid, since another process may have taken the port before it.
func (n *Node) start(ctx context.Context) error {
	args := []string{"node.conf"}
	if n.sentinel {
		args = append(args, "--sentinel")
	}
	p, err := startProcess(n.Host, "redis-server", args, nil, n.dir, filepath.Join(n.dir, "log"))
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.proc, n.frozen = p, false
	n.mu.Unlock()
	return n.awaitAnswer(ctx, p)
}

// errEnded says that a process ended while we waited for it to answer.
var errEnded = errors.New("ended before it answered")

func (n *Node) awaitAnswer(ctx context.Context, p *process) error {
	want := strconv.Itoa(p.pid())
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		if info, err := n.Info(ctx, "server"); err == nil && info["process_id"] == want {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s %w:\n%s", n.Label, errEnded, n.LogTail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w\n%s", n.Label, ctx.Err(), n.LogTail())
		case <-ticker.C:
		}
	}
}

// tail gives the last 2 KiB of a file.
func tail(path string) string {
	body, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(body[max(0, len(body)-2048):])
}
