package load

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// errAgain says that a socket takes or has nothing now.
var errAgain = unix.EAGAIN

// greetingTime is how long a server may take to answer the first command.
const greetingTime = 10 * time.Second

// readiness is what a connection can do now.
type readiness struct {
	id                 int
	readable, writable bool
}

// poller waits for sockets with epoll.
type poller struct {
	fd     int
	events []unix.EpollEvent
	ready  []readiness
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	return &poller{fd: fd, events: make([]unix.EpollEvent, 1024)}, nil
}

func (p *poller) close() error { return unix.Close(p.fd) }

func (p *poller) add(fd, id int) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, id, false)
}

// watch says whether to wait for the socket to be writable as well as readable.
func (p *poller) watch(fd, id int, writable bool) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, id, writable)
}

func (p *poller) control(op, fd, id int, writable bool) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(id)}
	if writable {
		event.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(p.fd, op, fd, &event)
}

// wait gives the sockets that are ready, after at most d. epoll itself counts in
// milliseconds, so ppoll waits for it first. The answer is valid until the next call.
func (p *poller) wait(d time.Duration) ([]readiness, error) {
	p.ready = p.ready[:0]
	n, err := unix.EpollWait(p.fd, p.events, 0)
	if err == nil && n == 0 && d > 0 {
		timeout := unix.NsecToTimespec(int64(d))
		if _, err = unix.Ppoll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, &timeout, nil); err == nil {
			n, err = unix.EpollWait(p.fd, p.events, 0)
		}
	}
	if errors.Is(err, unix.EINTR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	for _, e := range p.events[:n] {
		p.ready = append(p.ready, readiness{
			id:       int(e.Fd),
			readable: e.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0,
			writable: e.Events&unix.EPOLLOUT != 0,
		})
	}
	return p.ready, nil
}

// lockThread keeps the goroutine on its thread, whose timers it makes exact, and
// gives what undoes that.
func lockThread() (release func()) {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // without it timers are 50 us late
	return func() {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) // 0 means the default
		runtime.UnlockOSThread()
	}
}

// dialSocket connects to host:port (IPv4).
func dialSocket(addr string) (int, error) {
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err == nil {
		limit := unix.NsecToTimeval(int64(greetingTime))
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	}
	if err == nil {
		to := &unix.SockaddrInet4{Port: tcp.Port}
		copy(to.Addr[:], tcp.IP.To4())
		err = retry(func() error { return unix.Connect(fd, to) })
	}
	if err != nil {
		closeSocket(fd)
		return 0, err
	}
	return fd, nil
}

// exchange sends a command, waits for one reply, which must be no error, and makes
// the socket one that does not wait.
func exchange(fd int, command []byte) error {
	if _, err := writeSocket(fd, command); err != nil {
		return err
	}
	var p parser
	buffer := make([]byte, 4096)
	for {
		n, err := readSocket(fd, buffer)
		if err != nil {
			return fmt.Errorf("no answer: %w", err)
		}
		if n == 0 {
			return errClosed
		}
		replies, err := p.feed(buffer[:n])
		if err != nil {
			return err
		}
		if p.errors > 0 {
			return fmt.Errorf("%w: %s", errReply, p.firstErr)
		}
		if replies > 0 {
			return unix.SetNonblock(fd, true)
		}
	}
}

func readSocket(fd int, b []byte) (n int, err error) {
	err = retry(func() error { n, err = unix.Read(fd, b); return err })
	return n, err
}

func writeSocket(fd int, b []byte) (n int, err error) {
	err = retry(func() error { n, err = unix.SendmsgN(fd, b, nil, nil, unix.MSG_NOSIGNAL); return err })
	return n, err
}

func closeSocket(fd int) { _ = unix.Close(fd) }

// retry does what a signal interrupted again.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
