package handover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"steadis/proxy"
)

// Desk is where a running process can be asked to hand over. Make one with Open, run it
// with Run, once.
type Desk struct {
	path     string
	listener *net.UnixListener
	given    bool // the path is given up
	log      *zap.Logger
}

// Socket is one listening socket that can be handed over, under the name by which the new
// process asks for it.
type Socket struct {
	Name     string
	Listener net.Listener
}

// Offer is what a new process gets.
type Offer struct {
	NextID  uint64
	Sockets []Socket
	// Several says that each client is of one of several masters.
	Several bool
}

// Open listens at path, which nobody else must serve; a file that was left there is
// replaced. Only this user can connect.
func Open(path string, log *zap.Logger) (*Desk, error) {
	if conn, err := net.DialTimeout(network, path, patience); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("cannot listen on %s (handover): another process does", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != os.ModeSocket {
		return nil, fmt.Errorf("cannot listen on %s (handover): there is a file of this name that is no socket; remove it, or choose another path", path)
	}
	_ = os.Remove(path) // if it is there and cannot be removed, listening fails
	listener, err := net.ListenUnix(network, &net.UnixAddr{Name: path, Net: network})
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (handover); its directory must exist and be this user's: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("cannot keep %s (handover) from others: %w", path, err)
	}
	return &Desk{path: path, listener: listener, log: log}, nil
}

// Run waits for a process that takes over, and then calls begin, once, with it: the path
// and the listening sockets are the new one's from then on. Who only asks, and fails
// before it is ready, changes nothing. It ends with ctx.
func (d *Desk) Run(ctx context.Context, offer func() Offer, begin func(*Successor)) error {
	for {
		conn, err := d.accept(ctx)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case err != nil:
			return fmt.Errorf("handover: %w", err)
		}
		s := &Successor{link: &link{conn: conn}}
		if err := d.serve(ctx, s, offer()); err != nil {
			s.close()
			d.log.Warn("a process asked to take over and has not; this one goes on", zap.Int("pid", s.PID), zap.Error(err))
			if err := d.reopen(); err != nil {
				return err
			}
			continue
		}
		begin(s)
		<-ctx.Done()
		return nil
	}
}

// accept waits for one that asks, or for the end of ctx.
func (d *Desk) accept(ctx context.Context) (*net.UnixConn, error) {
	listener := d.listener
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	return listener.AcceptUnix()
}

// serve talks to one that asks until it is ready, and hands over.
func (d *Desk) serve(ctx context.Context, s *Successor, offer Offer) error {
	defer context.AfterFunc(ctx, s.close)()
	if err := sameUser(s.link.conn); err != nil {
		return err
	}
	if err := s.link.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	hello, _, err := s.link.expect(kindHello)
	if err != nil {
		return err
	}
	s.PID = hello.PID
	if err := s.offer(offer); err != nil {
		return err
	}
	if err := s.link.conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if _, _, err := s.link.expect(kindReady); err != nil {
		return err
	}
	d.given = true
	if err := d.listener.Close(); err != nil { // which removes the file: the new one makes its own
		return err
	}
	return s.link.send(message{Kind: kindTaken})
}

// reopen listens again if the path was given up for one that has ended then.
func (d *Desk) reopen() error {
	if !d.given {
		return nil
	}
	again, err := Open(d.path, d.log)
	if err != nil {
		return err
	}
	d.given, d.listener = false, again.listener
	return nil
}

// Successor is the process that takes over, as the former one sees it. Its methods may be
// called concurrently.
type Successor struct {
	// PID is what it says its process id is.
	PID int

	link  *link
	given atomic.Int64
}

func (s *Successor) offer(o Offer) error {
	m := message{Kind: kindOffer, NextID: o.NextID, Several: o.Several}
	var fds []int
	defer func() { closeAll(fds) }()
	for _, socket := range o.Sockets {
		fd, err := duplicate(socket.Listener)
		if err != nil {
			return fmt.Errorf("the socket %q cannot be handed over: %w", socket.Name, err)
		}
		m.Names, fds = append(m.Names, socket.Name), append(fds, fd)
	}
	if len(fds) > maxSockets {
		return fmt.Errorf("%d sockets are more than can be handed over", len(fds))
	}
	return s.link.send(m, fds...)
}

// Script gives a script that clients of a master rely on.
func (s *Successor) Script(body, master string) error {
	const piece = maxMessage / 2
	for {
		part := body[:min(len(body), piece)]
		body = body[len(part):]
		if err := s.link.send(message{Kind: kindScript, Master: master, Script: []byte(part), More: body != ""}); err != nil || body == "" {
			return err
		}
	}
}

// Client gives a client of a master, whose socket fd is, and which is closed here in any case.
func (s *Successor) Client(fd int, c proxy.Client, master string) error {
	defer func() { _ = unix.Close(fd) }() // the other process has its own by then, or nobody
	err := s.link.send(message{Kind: kindClient, Master: master, Client: c}, fd)
	if err == nil {
		s.given.Add(1)
	}
	return err
}

// End says that there are no more clients, and returns how many there were.
func (s *Successor) End() int64 {
	_ = s.link.send(message{Kind: kindEnd}) // if it is gone, it needs no end
	s.close()
	return s.given.Load()
}

func (s *Successor) close() { _ = s.link.conn.Close() }

// duplicate gives another descriptor of a listening socket.
func duplicate(listener net.Listener) (int, error) {
	sc, ok := listener.(syscall.Conn)
	if !ok {
		return -1, errors.New("it is no socket of the system's")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, err := -1, error(nil)
	if failed := raw.Control(func(n uintptr) { fd, err = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 0) }); failed != nil {
		return -1, failed
	}
	return fd, err
}
