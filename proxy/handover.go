package proxy

import (
	"errors"
	"math"
	"net"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"steadis/proxy/upstream"
)

// How a client's connection goes on in another process. Between two commands, and
// without state that only its connection to the master has, all that there is to a client
// is its socket and a Client: so both are given to another process, and the client, which
// has the same socket as before, notices nothing. What it sends meanwhile waits in the
// system's buffer.

// Client is what a process has to know of a client to go on with it. It has the client's
// password in it, and belongs nowhere but in the other process.
type Client struct {
	ID               uint64
	Created          time.Time
	Auth             bool
	User, Password   string
	DB, Protocol     int
	Name             string
	LibName, LibVer  string
	NoEvict, HasWrit bool
	// Reader says that it is one of the read-only address.
	Reader bool
	// Static says that the former process judged who the client is (auth: static): then
	// Account is its user there, Locked that it has yet to authenticate, and it has no
	// password of the master's.
	Static, Locked bool
	Account        string
}

// GiveFunc takes a client over: fd is its socket, which is the callee's from then on. It is
// called concurrently. An error says that the client could not be taken; it is closed then.
type GiveFunc func(fd int, c Client) error

// HandOver says that another process takes over. When Serve's context ends, which the
// caller sees to next, listeners are left to the other process with all who wait in them,
// and clients are given to it by give, each at its next pause between two commands; those
// that cannot be are closed after Options.Drain.
func (s *Server) HandOver(give GiveFunc) {
	s.give.Store(&give)
	s.ending.CompareAndSwap(serving, leaving)
}

// KeepClients has clients given to keep when Serve's context ends, each at its next pause
// between two commands, instead of closing them: whoever keeps them gives them to the next
// process. Nobody serves meanwhile, so those who only wait, in a blocking command or
// subscribed, are closed once all others are gone. Call it before Serve.
func (s *Server) KeepClients(keep GiveFunc) {
	s.give.Store(&keep)
	s.kept = true
}

// NextID is the first CLIENT ID that a process that takes over should use.
func (s *Server) NextID() uint64 { return s.ids.Load() + idGap }

// idGap is the number of clients that may come before the other process serves.
const idGap = 1 << 20

// StartIDs makes the next client's ID at least first. Call it before Serve.
func (s *Server) StartIDs(first uint64) { s.ids.Store(max(s.ids.Load(), max(first, 1)-1)) }

// Scripts returns the scripts that clients rely on, for Remember of another process.
func (s *Server) Scripts() []string {
	s.scripts.mu.Lock()
	defer s.scripts.mu.Unlock()
	bodies := make([]string, 0, len(s.scripts.bodies))
	for body := range s.scripts.bodies {
		bodies = append(bodies, body)
	}
	return bodies
}

// Remember notes a script that the master has, as another process knows.
func (s *Server) Remember(script string) { s.scripts.note([]byte(script)) }

// errCannotMove is about a connection that is no socket of the system's.
var errCannotMove = errors.New("not a plain socket")

// errOtherAuth is about a client of a process that had another way to tell who clients are.
var errOtherAuth = errors.New("auth is not what it was, so it has to authenticate anew")

// errNoRoom is about a client that was turned away.
var errNoRoom = errors.New("limits.clients is reached")

// giveAway gives the client to another process. It returns false if the client is to be
// read on. Only the goroutine that reads calls it, and nothing is unwritten.
func (s *Session) giveAway() bool {
	s.mu.Lock()
	if s.dead || !s.portable() {
		dead := s.dead
		s.mu.Unlock()
		return dead
	}
	c := s.describe()
	s.bury()
	s.server.forget(s)
	s.mu.Unlock()
	fd, err := duplicate(s.out.nc)
	if err == nil {
		err = (*s.server.give.Load())(fd, c)
	}
	if err != nil {
		s.server.o.Log.Warn("a client could not be handed over and is closed", zap.String("client", s.addr), zap.Error(err))
	}
	s.out.finish()
	s.out.flush() // closes our descriptor of it
	return true
}

// portable says whether another process can go on with the client. s.mu must be held.
func (s *Session) portable() bool {
	switch s.out.nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return false
	}
	return s.settled() && !s.gone && !s.ended && s.flight == 0 && s.barrier == nil && s.waiting == nil &&
		!s.hasState() && s.mute == 0 && s.track == nil && len(s.borrowers) == 0 &&
		(s.ident.Auth || s.ident.Edition == s.server.pool.Edition())
}

// describe says what there is to know of the client. s.mu must be held.
func (s *Session) describe() Client {
	c := Client{
		ID: s.id, Created: s.created, Auth: s.ident.Auth, User: s.ident.User, Password: s.ident.Password,
		DB: s.ident.DB, Protocol: s.ident.Protocol, Name: s.name,
		LibName: s.face.libName, LibVer: s.face.libVer, NoEvict: s.face.noEvict, HasWrit: s.wrote != 0, Reader: s.server.o.Reader,
		Static: s.server.static(), Account: s.account, Locked: s.locked,
	}
	if c.Static {
		c.Auth, c.User, c.Password = false, "", "" // they are steadis' own, which the other process has
	}
	return c
}

// Adopt goes on with a client of another process, whose connection is nc and becomes the
// server's. It may be called concurrently, from before Serve on; after the end it is
// refused, and nc closed.
func (s *Server) Adopt(nc net.Conn, c Client) error {
	if c.Static != s.static() {
		_ = nc.Close() // who it is was judged by others
		return errOtherAuth
	}
	ident := s.identity()
	ident.DB, ident.Protocol = c.DB, c.Protocol
	if c.Auth {
		ident = upstream.Identity{Auth: true, User: c.User, Password: c.Password, DB: c.DB, Protocol: c.Protocol}
	}
	if s.session(c.ID) != nil {
		c.ID = s.ids.Add(1) // a former process has given it twice
	}
	conn := s.admit(nc, c.ID, func(sess *Session) {
		sess.created, sess.name, sess.ident = c.Created, c.Name, ident
		sess.account, sess.locked = c.Account, c.Locked
		sess.boundOutput()
		sess.face = face{libName: c.LibName, libVer: c.LibVer, noEvict: c.NoEvict}
		if c.HasWrit {
			sess.wrote = math.MaxUint64 // to a master that this process does not know of: WAIT cannot vouch for it
		}
	})
	if conn == nil {
		return errNoRoom
	}
	if ident != s.identity() {
		s.pool.Accepted(ident)
	}
	select {
	case s.adopted <- conn:
		return nil
	case <-s.over:
		conn.session.kill()
		return net.ErrClosed
	}
}

// adopting is the listener through which adopted clients come to redcon.
type adopting struct{ server *Server }

func (a adopting) Accept() (net.Conn, error) {
	select {
	case c := <-a.server.adopted:
		return c, nil
	case <-a.server.over:
		return nil, net.ErrClosed
	}
}

func (adopting) Close() error   { return nil }
func (adopting) Addr() net.Addr { return &net.UnixAddr{Name: "another process", Net: "unix"} }

// duplicate returns another descriptor of a connection's socket.
func duplicate(nc net.Conn) (int, error) {
	if _, ok := nc.(syscall.Conn); !ok {
		return -1, errCannotMove
	}
	fd, err := -1, error(nil)
	if failed := control(nc, func(n int) { fd, err = unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 0) }); failed != nil {
		return -1, failed
	}
	return fd, err
}
