//go:build linux

package restart

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"steadis/test/topology"
	"steadis/test/workload"
)

// manager does what systemd does for a service with sockets, Type=notify and
// FileDescriptorStoreMax: it listens, starts the program with the sockets and with what it
// has kept, and keeps what it is told to.
type manager struct {
	t       *testing.T
	args    []string
	log     *os.File
	names   []string   // FileDescriptorName= of each of sockets
	sockets []*os.File // of clients, and last of the admin server
	addrs   []string   // of sockets
	addr    string     // the first one
	notify  *net.UnixConn
	path    string
	child   *exec.Cmd
	reading sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	kept  []keptFile
	heard map[string]int
}

type keptFile struct {
	name string
	file *os.File
}

func newManager(t *testing.T, d *topology.Deployment, args ...string) *manager {
	t.Helper()
	return newManagerOf(t, []string{"redis", "admin"}, append([]string{"--sentinel", d.SentinelAddrs(), "--master", d.Name()}, args...)...)
}

// newManagerOf has a socket of each name.
func newManagerOf(t *testing.T, names []string, args ...string) *manager {
	t.Helper()
	dir := t.TempDir()
	m := &manager{t: t, names: names, path: filepath.Join(dir, "notify"), heard: map[string]int{},
		args: append([]string{program.Path(t), "serve"}, args...)}
	var err error
	m.log, err = os.Create(filepath.Join(dir, "log"))
	must(t, err)
	for range names {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		m.addrs = append(m.addrs, listener.Addr().String())
		file, err := listener.(*net.TCPListener).File()
		must(t, err)
		must(t, listener.Close())
		m.sockets = append(m.sockets, file)
	}
	m.addr = m.addrs[0]
	m.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	must(t, err)
	m.reading.Go(m.read)
	t.Cleanup(m.close)
	return m
}

func (m *manager) close() {
	if m.child != nil {
		_ = m.child.Process.Kill()
		_ = m.child.Wait()
	}
	_ = m.notify.Close()
	m.reading.Wait()
	for _, kept := range m.kept {
		_ = kept.file.Close()
	}
	for _, file := range m.sockets {
		_ = file.Close()
	}
	if m.t.Failed() {
		text, _ := os.ReadFile(m.log.Name())
		m.t.Logf("log of steadis:\n%s", text[max(0, len(text)-4000):])
	}
	_ = m.log.Close()
}

// read hears what the program says until the socket is closed.
func (m *manager) read() {
	buf, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4*16))
	for {
		n, rn, _, _, err := m.notify.ReadMsgUnix(buf, rights)
		if err != nil {
			return
		}
		var fds []int
		if messages, err := unix.ParseSocketControlMessage(rights[:rn]); err == nil {
			for i := range messages {
				some, _ := unix.ParseUnixRights(&messages[i])
				fds = append(fds, some...)
			}
		}
		m.hear(strings.Split(string(buf[:n]), "\n"), fds)
	}
}

func (m *manager) hear(lines []string, fds []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := ""
	for _, line := range lines {
		m.heard[line]++
		if value, found := strings.CutPrefix(line, "FDNAME="); found {
			name = value
		}
	}
	switch lines[0] {
	case "FDSTORE=1":
		for _, fd := range fds {
			m.kept = append(m.kept, keptFile{name, os.NewFile(uintptr(fd), name)})
		}
	case "BARRIER=1":
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	case "FDSTOREREMOVE=1":
		var left []keptFile
		for _, kept := range m.kept {
			if kept.name == name {
				_ = kept.file.Close()
			} else {
				left = append(left, kept)
			}
		}
		m.kept = left
	}
}

// await waits until a line has been heard so often.
func (m *manager) await(ctx context.Context, line string, n int) {
	m.t.Helper()
	poll(ctx, m.t, fmt.Sprintf("%s for the %d. time", line, n), func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.heard[line] < n {
			return errNotYet
		}
		return nil
	})
}

func (m *manager) count(line string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard[line]
}

// start starts the program and returns once it says that it is ready.
func (m *manager) start(ctx context.Context) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ready := m.count("READY=1")
	m.mu.Lock()
	names := slices.Clone(m.names)
	files := append([]*os.File{}, m.sockets...)
	for _, kept := range m.kept {
		names, files = append(names, kept.name), append(files, kept.file)
	}
	m.mu.Unlock()
	// LISTEN_PID is the program's own, which only it can know.
	m.child = exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`}, m.args...)...)
	m.child.ExtraFiles = files
	m.child.Stdout, m.child.Stderr = m.log, m.log
	m.child.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "STEADIS_") }), "NOTIFY_SOCKET="+m.path, "FDSTORE=1000", "WATCHDOG_USEC=10000000",
		fmt.Sprintf("LISTEN_FDS=%d", len(files)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	must(m.t, m.child.Start())
	m.await(ctx, "READY=1", ready+1)
}

// stop ends the program as `systemctl stop` does, and returns once all that it has said is
// heard.
func (m *manager) stop(ctx context.Context) {
	m.t.Helper()
	must(m.t, m.child.Process.Signal(syscall.SIGTERM))
	err := m.child.Wait()
	m.child = nil
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 143 {
		m.t.Fatalf("steadis has ended with %v", err)
	}
	said := m.count("BARRIER=1")
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.path, Net: "unixgram"})
	must(m.t, err)
	_, err = conn.Write([]byte("BARRIER=1"))
	must(m.t, errors.Join(err, conn.Close()))
	m.await(ctx, "BARRIER=1", said+1)
}

// TestRestartsByAServiceManager stops steadis and starts it again and again, as `systemctl
// restart` does. While no process runs, sockets and clients are with the manager: nobody's
// connection is lost, and nobody is refused.
func TestRestartsByAServiceManager(t *testing.T) {
	d := startDeployment(t)
	readers, err := topology.FreeAddr()
	must(t, err)
	m := newManager(t, d, "--listen-replicas", readers)
	ctx := within(t, time.Duration(restarts(t)+1)*time.Minute)
	m.start(ctx)
	idle, reading := newIdler(ctx, t, m.addr), newReading(ctx, t, readers)
	load, err := workload.Start(ctx, workload.Options{Addr: m.addr, Writers: 8})
	must(t, err)
	guests := startVisitors(ctx, m.addr, 2)
	began := time.Now()
	for range restarts(t) {
		awaitWrites(ctx, t, load, 50)
		m.stop(ctx)
		m.start(ctx)
		idle.check(ctx, t)
		reading.check(ctx, t)
	}
	awaitWrites(ctx, t, load, 50)
	took := time.Since(began)
	record := load.Stop(30 * time.Second)
	visits := guests.stop(t)
	checkLoad(ctx, t, d, record)
	t.Logf("%d restarts in %v, %d visits, 0 failed", restarts(t), took.Round(time.Millisecond), visits)
	if n := m.count("WATCHDOG=1"); n < restarts(t) {
		t.Errorf("%d signs of life", n)
	}
	for _, line := range []string{"STOPPING=1"} {
		if n := m.count(line); n != restarts(t) {
			t.Errorf("%d times %s", n, line)
		}
	}
}
