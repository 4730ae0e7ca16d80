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

	"github.com/coreos/go-systemd/v22/activation"

	"steadis/cmd/internal/handover"
	"steadis/config"
)

// sockets are the listening sockets of a run, wherever they come from: opened here,
// handed over by the process that ran before, or opened by the service manager.
type sockets struct {
	places []*place
	admin  *handover.Socket // nil: none
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
	all := c.PerMaster()
	for _, own := range all {
		p := &place{}
		if c.Several() {
			p.name = own.Master
		}
		s.places = append(s.places, p)
	}
	if err := s.activated(); err != nil {
		return err
	}
	if s.former != nil {
		if err := s.activatedBefore(); err != nil {
			return err
		}
	}
	for i, own := range all {
		if err := s.fill(ctx, s.places[i], own); err != nil {
			return err
		}
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

// fill gives a place the sockets that c asks for. What the service manager has opened for
// it takes the place of listen.
func (s *sockets) fill(ctx context.Context, p *place, c *config.Config) error {
	mode, _ := c.UnixFileMode() // Validate has judged it
	if len(p.masters) == 0 {
		for _, entry := range c.Listen {
			socket, err := s.socket(ctx, namedClients+entry, entry, mode)
			if err != nil {
				return err
			}
			p.masters = append(p.masters, socket)
		}
	}
	for _, entry := range c.ListenReplicas {
		socket, err := s.socket(ctx, namedReaders+entry, entry, mode)
		if err != nil {
			return err
		}
		p.replicas = append(p.replicas, socket)
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
		if err := s.put(handover.Socket{Name: namedActivated + name + ":" + strconv.Itoa(i), Listener: listener}); err != nil {
			return err
		}
	}
	return nil
}

// activatedBefore takes the sockets that the service manager had opened for the former
// process.
func (s *sockets) activatedBefore() error {
	names := s.former.Names()
	slices.Sort(names)
	for _, name := range names {
		if strings.HasPrefix(name, namedActivated) {
			if err := s.put(handover.Socket{Name: name, Listener: s.former.Take(name)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// put puts an activated socket where its name says, or closes it if that is nowhere.
func (s *sockets) put(socket handover.Socket) error {
	name := activatedName(socket.Name)
	if s.admin == nil && name == adminName {
		s.admin = &socket
		return nil
	}
	if p := s.placeOf(name); p != nil {
		p.masters = append(p.masters, socket)
		return nil
	}
	var known []string
	for _, p := range s.places {
		known = append(known, p.name, p.tlsName())
	}
	_ = socket.Listener.Close() // nothing was accepted on it
	return fmt.Errorf("the service manager's socket %q belongs to none of masters; its FileDescriptorName= must be one of %s", name, strings.Join(known, ", "))
}

// placeOf gives the place of a socket that the service manager calls name; nil: none. A
// master's name comes before another one's name for TLS.
func (s *sockets) placeOf(name string) *place {
	i := slices.IndexFunc(s.places, func(p *place) bool { return p.name == "" || p.name == name })
	if i < 0 {
		i = slices.IndexFunc(s.places, func(p *place) bool { return p.tlsName() == name })
	}
	if i < 0 {
		return nil
	}
	return s.places[i]
}

// clients lists the clients' sockets, place by place: those for the master, and then those
// for replicas.
func (s *sockets) clients() []handover.Socket {
	var all []handover.Socket
	for _, p := range s.places {
		all = append(append(all, p.masters...), p.replicas...)
	}
	return all
}

// all lists every socket.
func (s *sockets) all() []handover.Socket {
	all := s.clients()
	if s.admin != nil {
		all = append(all, *s.admin)
	}
	return all
}

// secured says of each of the clients' sockets whether they speak TLS there.
func (s *sockets) secured() []bool {
	var secured []bool
	for _, p := range s.places {
		for _, socket := range append(slices.Clone(p.masters), p.replicas...) {
			secured = append(secured, p.speaksTLS(socket))
		}
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
