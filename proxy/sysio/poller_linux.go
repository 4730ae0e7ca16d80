package sysio

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// edge is unix.EPOLLET, which is no int32 there.
	edge = 1 << 31
	// maxEvents is how many sockets a round has at most.
	maxEvents = 256
	// fewEvents is how few sockets are served without a look whether there are more meanwhile,
	// mostLooks how often that look is taken.
	fewEvents, mostLooks = 2, 4
	// breath is for how long nothing is looked for if there is always more. Go's poller, which has
	// the thread then, looks for everybody, and ends it early.
	breath = 50 * time.Microsecond
)

// Poller tells which of many sockets have something to read. It is an epoll instance of its
// own, which Go's poller watches: so one goroutine can serve all of them, in the order in
// which they became readable, and is told as well who has nothing more to say, so that it need
// not read once more in vain to find out. Go's poller tells neither.
//
// Add, Remove and Close may be called concurrently.
type Poller struct {
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool
	events [maxEvents]unix.EpollEvent
	round  [maxEvents]Event
}

// NewPoller makes a Poller, or returns errors.ErrUnsupported where there is none. The caller
// closes it.
func NewPoller() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or Go's poller would not watch it
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &Poller{file: os.NewFile(uintptr(fd), "poller")}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil, err
	}
	return p, nil
}

// Add watches a socket, and tells at once if it has something to read already. After that
// each news is told once (EPOLLET): who reads less than there was room for has read all that
// there was, and will be told of more (epoll(7), questions 9 and 10). But a read stops short where
// urgent data was, so that is told as well (EPOLLPRI).
func (p *Poller) Add(socket syscall.RawConn, token uint64) error {
	return p.control(unix.EPOLL_CTL_ADD, socket, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLPRI | unix.EPOLLRDHUP | edge, Fd: int32(uint32(token)), Pad: int32(uint32(token >> 32)),
	})
}

// Remove watches a socket no more. What Run has learned of it already it still tells.
func (p *Poller) Remove(socket syscall.RawConn) error {
	return p.control(unix.EPOLL_CTL_DEL, socket, &unix.EpollEvent{})
}

func (p *Poller) control(what int, socket syscall.RawConn, e *unix.EpollEvent) error {
	var err error
	closed := p.raw.Control(func(epoll uintptr) {
		if failed := socket.Control(func(fd uintptr) { err = unix.EpollCtl(int(epoll), what, int(fd), e) }); failed != nil {
			err = failed
		}
	})
	if closed != nil {
		return closed
	}
	return os.NewSyscallError("epoll_ctl", err)
}

// Run calls round with what has happened, until Close; then it returns os.ErrClosed. round
// must not wait for anything. The events are valid until it returns.
func (p *Poller) Run(round func([]Event)) error {
	err := p.raw.Read(func(epoll uintptr) bool {
		for looks := 1; ; looks++ {
			n := p.look(epoll)
			if n > 0 {
				round(p.round[:n])
			}
			// What came meanwhile is looked for, for the more commands go out together the less
			// Redis has to do; but not for long, as nobody reads replies now. From here on
			// Go's poller tells, once more than what was there before has come.
			if n < fewEvents || looks >= mostLooks && n < maxEvents {
				return false
			}
			if looks < mostLooks {
				runtime.Gosched()
			} else {
				time.Sleep(breath) // Gosched would not have replies noticed: it lets run who can, and looks for nobody
			}
		}
	})
	if p.closed.Load() {
		return os.ErrClosed // what err is then has no name
	}
	return err
}

// look takes what has happened, without waiting.
func (p *Poller) look(epoll uintptr) int {
	for {
		// Not unix.EpollWait: it tells the scheduler, see call.
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(&p.events[0])), maxEvents, 0, 0, 0)
		switch errno {
		case 0:
			for i, e := range p.events[:n] {
				p.round[i] = Event{Token: uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32, Ended: e.Events&^unix.EPOLLIN != 0}
			}
			return int(n)
		case syscall.EINTR:
		default:
			return 0 // it is closed, and Go's poller says so
		}
	}
}

// Close ends Run, once round has returned.
func (p *Poller) Close() error {
	p.closed.Store(true)
	return p.file.Close()
}
