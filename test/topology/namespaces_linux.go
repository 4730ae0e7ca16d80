package topology

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
)

// isolatedMark is in the environment of a process that Isolate started.
const isolatedMark = "TEST_ISOLATED"

// bridgeName is the bridge that all hosts are plugged into; it lives in the
// namespace of an isolated process and nobody else sees it.
const bridgeName = "steadis0"

// Isolated says whether this process was started by Isolate.
func Isolated() bool { return os.Getenv(isolatedMark) != "" }

// Isolate runs this program again, with the same arguments, further variables and in a
// network namespace of its own, and gives its exit code: nothing that the new process
// does to networks touches the machine's, and all of it is gone with the process.
// What it prints goes to out. An error says why the machine does not allow that; then
// nothing has run.
func Isolate(out io.Writer, variables ...string) (code int, err error) {
	if os.Getenv(networkKind) == "relays" {
		return 0, fmt.Errorf("%s=relays asks for none", networkKind)
	}
	for _, tool := range []string{"ip", "tc", "nft", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return 0, fmt.Errorf("%w (Debian: packages iproute2, nftables, util-linux)", err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	runtime.LockOSThread() // the death signal comes with the end of the thread that starts the child
	defer runtime.UnlockOSThread()
	var cmd *exec.Cmd
	for _, flags := range []uintptr{syscall.CLONE_NEWNET, syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER} {
		cmd = exec.Command(self, os.Args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, out, os.Stderr
		cmd.Env = append(append(os.Environ(), isolatedMark+"=1"), variables...)
		cmd.SysProcAttr = isolatedAttr(flags)
		if err = cmd.Start(); err == nil {
			break
		}
	}
	if err != nil {
		return 0, fmt.Errorf("network namespace: %w", err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// isolatedAttr asks for new namespaces. Who has no right to make one of networks may
// have it as root of a new one of users.
func isolatedAttr(flags uintptr) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	if flags&syscall.CLONE_NEWUSER != 0 {
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// namespaces is the fabric whose hosts are network namespaces, each with one
// veth pair to a bridge.
type namespaces struct {
	slowed []*Host
}

// networksMade numbers the networks of this process: the veth pairs of one that was
// closed go only some time after the last process of its hosts.
var networksMade atomic.Int64

// bridgeIP is this process' own address, which no rule ever names: it can watch
// every host, whatever is cut.
const bridgeIP = "10.77.0.1"

func hostIP(number int) string { return net.IPv4(10, 77, 0, byte(10+number)).String() }

// bringUpLoopback gives an isolated process its loopback, which is down at first.
func bringUpLoopback() error { return run("", "ip", "link", "set", "lo", "up") }

func newNamespaces() (*namespaces, error) {
	n := &namespaces{}
	networksMade.Add(1)
	err := errors.Join(
		run("", "ip", "link", "add", bridgeName, "type", "bridge"),
		run("", "ip", "addr", "add", bridgeIP+"/24", "dev", bridgeName),
		run("", "ip", "link", "set", bridgeName, "up"),
		n.enforce(nil),
	)
	if err != nil {
		_ = n.close() // whatever there is of it
		return nil, err
	}
	return n, nil
}

func (n *namespaces) kind() string {
	return "hosts are network namespaces (veth, bridge); nft loses packets, " + slowKind() + " slows links"
}

func (n *namespaces) relay(string, *Host) (*Relay, error) { return nil, nil }

func (n *namespaces) join(h *Host, number int, why purpose) error {
	h.IP = hostIP(number)
	if why == forClients {
		return run("", "ip", "addr", "add", h.IP+"/24", "dev", bridgeName)
	}
	netns, err := newNamespace()
	if err != nil {
		return err
	}
	h.netns = netns
	inside := func(args ...string) error {
		name, args := h.command(args[0], args[1:])
		return run("", name, args...)
	}
	h.veth = fmt.Sprintf("veth%d-%d", networksMade.Load(), number)
	return errors.Join(
		run("", "ip", "link", "add", h.veth, "type", "veth", "peer", "name", "eth0", "netns", namespacePath(netns)),
		run("", "ip", "link", "set", h.veth, "master", bridgeName, "up"),
		inside("ip", "addr", "add", h.IP+"/24", "dev", "eth0"),
		inside("ip", "link", "set", "eth0", "up"),
		inside("ip", "link", "set", "lo", "up"),
	)
}

func (n *namespaces) enforce(rules []rule) error { return run(filterScript(rules), "nft", "-f", "-") }

// slowDown shapes what goes to a host (on the bridge's side) and what comes from
// it (on its own side).
func (n *namespaces) slowDown(hosts []*Host) error {
	var all error
	for _, h := range n.slowed {
		name, args := h.command("tc", []string{"qdisc", "del", "dev", "eth0", "root"})
		all = errors.Join(all, run("", name, args...), run("", "tc", "qdisc", "del", "dev", h.veth, "root"))
	}
	n.slowed = nil
	for _, h := range hosts {
		if h.netns == nil || contains(n.slowed, h) {
			continue
		}
		n.slowed = append(n.slowed, h)
		name, args := h.command("tc", append([]string{"qdisc", "replace", "dev", "eth0", "root"}, slowQdisc()...))
		all = errors.Join(all, run("", name, args...),
			run("", "tc", append([]string{"qdisc", "replace", "dev", h.veth, "root"}, slowQdisc()...)...))
	}
	return all
}

func (n *namespaces) close() error { return run("", "ip", "link", "del", bridgeName) }

// hasNetem says whether the kernel can delay packets; many small ones cannot.
func hasNetem() bool {
	if run("", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms") != nil {
		return false
	}
	return run("", "tc", "qdisc", "del", "dev", "lo", "root") == nil
}

func slowKind() string {
	if hasNetem() {
		return "tc netem"
	}
	return "tc tbf (no netem in this kernel)"
}

// slowQdisc delays packets or, without netem, lets so little pass that they queue.
func slowQdisc() []string {
	if hasNetem() {
		return []string{"netem", "delay", "20ms", "5ms"}
	}
	return []string{"tbf", "rate", "4mbit", "burst", "3000", "latency", "200ms"}
}

// newNamespace makes a network namespace that lives as long as the file is open
// or a process runs in it.
func newNamespace() (*os.File, error) {
	type made struct {
		file *os.File
		err  error
	}
	out := make(chan made)
	go func() {
		runtime.LockOSThread() // for good: the thread is elsewhere now and must end with the goroutine
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			out <- made{nil, fmt.Errorf("network namespace: %w", err)}
			return
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		out <- made{file, err}
	}()
	m := <-out
	return m.file, m.err
}

// namespacePath names a namespace to other processes.
func namespacePath(netns *os.File) string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), netns.Fd())
}

// run runs a command to its end; its error says what the command complained of.
func run(input, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewBufferString(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", name, args, err, bytes.TrimSpace(out))
	}
	return nil
}
