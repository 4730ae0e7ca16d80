package main

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/activation"

	"steadis/cmd/internal/handover"
	"steadis/config"
)

// sockets are the listening sockets of a run, wherever they come from: opened here,
// handed over by the process that ran before, or opened by the service manager.
type sockets struct {
	clients []handover.Socket
	// masters says how many of clients are for the master; the ones behind are for replicas.
	masters int
	admin   *handover.Socket // nil: none
	// kept is what the service manager has kept of the process that ran before.
	kept kept
	// former is the process to take over from; nil: nobody.
	former *handover.Former
}

// The names of sockets. Those that the service manager opened stand for what is
// configured, so they are asked for by what they are and not by where.
const (
	namedClients   = "listen:" // and the entry of config.Listen
	namedReaders   = "listen_replicas:"
	namedAdmin     = "admin:"     // and config.Admin
	namedActivated = "activated:" // and the manager's name, and a number
	// adminName is the manager's name (FileDescriptorName=) of the admin server's socket.
	adminName = "admin"
	// tlsName is that of a socket whose clients speak TLS.
	tlsName = "tls"
)

// openSockets gives the sockets that c asks for, or none: what is open is closed again if
// one fails. Sockets that the service manager has opened take the place of those that are
// configured.
func openSockets(ctx context.Context, c *config.Config) (*sockets, error) {
	s := &sockets{}
	if c.Handover != "" {
		former, err := handover.Ask(ctx, c.Handover)
		if err != nil {
			return nil, err
		}
		s.former = former
	}
	if err := s.open(ctx, c); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *sockets) open(ctx context.Context, c *config.Config) error {
	if err := s.activated(); err != nil {
		return err
	}
	if s.former != nil {
		s.activatedBefore()
	}
	if len(s.clients) == 0 {
		mode, _ := c.UnixFileMode() // Validate has judged it
		for _, entry := range c.Listen {
			socket, err := s.socket(ctx, namedClients+entry, entry, mode)
			if err != nil {
				return err
			}
			s.clients = append(s.clients, socket)
		}
	}
	s.masters = len(s.clients)
	for _, entry := range c.ListenReplicas {
		mode, _ := c.UnixFileMode() // as above
		socket, err := s.socket(ctx, namedReaders+entry, entry, mode)
		if err != nil {
			return err
		}
		s.clients = append(s.clients, socket)
	}
	if s.admin == nil && c.Admin != "" {
		socket, err := s.socket(ctx, namedAdmin+c.Admin, c.Admin, 0)
		if err != nil {
			return err
		}
		s.admin = &socket
	}
	return nil
}

// socket gives the socket of a name: the former process's, or a new one at entry.
func (s *sockets) socket(ctx context.Context, name, entry string, mode fs.FileMode) (handover.Socket, error) {
	if s.former != nil {
		if listener := s.former.Take(name); listener != nil {
			return handover.Socket{Name: name, Listener: listener}, nil
		}
	}
	listener, err := openListener(ctx, entry, mode)
	return handover.Socket{Name: name, Listener: listener}, err
}

// activated takes the sockets that the service manager has opened for this process
// (LISTEN_FDS). The variables are unset, for they are not for our children.
func (s *sockets) activated() error {
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	files := activation.Files(true)
	defer func() {
		for _, file := range files {
			_ = file.Close() // listeners have descriptors of their own
		}
	}()
	for i, file := range files {
		name := "unknown"
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		if mine, err := s.kept.add(name, file); err != nil {
			return fmt.Errorf("descriptor %d of LISTEN_FDS (%s), which the former process has kept, cannot be used: %w", i+3, name, err)
		} else if mine {
			continue
		}
		listener, err := net.FileListener(file)
		if err != nil {
			return fmt.Errorf("descriptor %d of LISTEN_FDS (%s) is no listening stream socket: %w", i+3, name, err)
		}
		s.place(handover.Socket{Name: namedActivated + name + ":" + strconv.Itoa(i), Listener: listener})
	}
	return nil
}

// activatedBefore takes the sockets that the service manager had opened for the former
// process.
func (s *sockets) activatedBefore() {
	names := s.former.Names()
	slices.Sort(names)
	for _, name := range names {
		if strings.HasPrefix(name, namedActivated) {
			s.place(handover.Socket{Name: name, Listener: s.former.Take(name)})
		}
	}
}

// place puts an activated socket where its name says.
func (s *sockets) place(socket handover.Socket) {
	if s.admin == nil && strings.HasPrefix(socket.Name, namedActivated+adminName+":") {
		s.admin = &socket
		return
	}
	s.clients = append(s.clients, socket)
}

// all lists every socket.
func (s *sockets) all() []handover.Socket {
	all := slices.Clone(s.clients)
	if s.admin != nil {
		all = append(all, *s.admin)
	}
	return all
}

// secured says of each of the clients' sockets whether they speak TLS there.
func (s *sockets) secured() []bool {
	secured := make([]bool, len(s.clients))
	for i, socket := range s.clients {
		entry, ours := strings.CutPrefix(socket.Name, namedClients)
		if i >= s.masters {
			entry, ours = strings.CutPrefix(socket.Name, namedReaders)
		}
		secured[i] = ours && config.ListensTLS(entry) || strings.HasPrefix(socket.Name, namedActivated+tlsName+":")
	}
	return secured
}

// close closes every socket, and ends the talk with the former process.
func (s *sockets) close() {
	for _, socket := range s.all() {
		_ = socket.Listener.Close() // again, if it has been closed already
	}
	s.kept.close()
	if s.former != nil {
		s.former.Close()
	}
}

// ours says of the sockets' files, if they have some, whether they go when this process
// closes them: those of its own making, and those that it has taken over, go.
func (s *sockets) ours(yes bool) {
	for _, socket := range s.all() {
		if unix, ok := socket.Listener.(*net.UnixListener); ok {
			unix.SetUnlinkOnClose(yes && !strings.HasPrefix(socket.Name, namedActivated))
		}
	}
}

// inherited says whether other processes have some of the clients' sockets too, so that
// who waits to be accepted can wait for the next one.
func (s *sockets) inherited() bool {
	return slices.ContainsFunc(s.clients, func(socket handover.Socket) bool { return strings.HasPrefix(socket.Name, namedActivated) })
}

// behind makes a listener whose Accept waits for the gate.
func behind(gate <-chan struct{}, listener net.Listener) net.Listener {
	return &gated{Listener: listener, gate: gate, ended: make(chan struct{})}
}

// gated is a listener that accepts nobody before its gate is open.
type gated struct {
	net.Listener
	gate  <-chan struct{}
	ended chan struct{}
	once  sync.Once
}

// Accept waits for the gate first, or for the end.
func (g *gated) Accept() (net.Conn, error) {
	select {
	case <-g.gate:
	default:
		select {
		case <-g.gate:
		case <-g.ended:
			return nil, net.ErrClosed
		}
	}
	return g.Listener.Accept()
}

// SetDeadline bounds Accept. Who waits at the gate needs no more time.
func (g *gated) SetDeadline(t time.Time) error {
	g.once.Do(func() { close(g.ended) })
	bounded, ok := g.Listener.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return os.ErrNoDeadline
	}
	return bounded.SetDeadline(t)
}

func (g *gated) Close() error {
	g.once.Do(func() { close(g.ended) })
	return g.Listener.Close()
}
