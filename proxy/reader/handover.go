package reader

import (
	"errors"
	"net"

	"steadis/proxy"
)

// HandOver is proxy.Server.HandOver for the clients of all lanes. It may be called
// concurrently with Serve.
func (r *Reader) HandOver(give proxy.GiveFunc) {
	r.each(func(s *proxy.Server) { s.HandOver(give) })
}

// KeepClients is proxy.Server.KeepClients for the clients of all lanes. Call it before Serve.
func (r *Reader) KeepClients(keep proxy.GiveFunc) {
	r.each(func(s *proxy.Server) { s.KeepClients(keep) })
}

// each lets the server of each lane that there is and will be be told something.
func (r *Reader) each(tell func(*proxy.Server)) {
	r.changing.Lock()
	defer r.changing.Unlock()
	r.told = tell
	for _, l := range r.list() {
		tell(l.server)
	}
}

var (
	errEnded  = errors.New("reader: it has ended")
	errNoRoom = errors.New("reader: limits.clients is reached")
)

// heritage is a client of another process.
type heritage struct {
	nc     net.Conn
	client proxy.Client
}

// Adopt goes on with a client of another process's read-only address, whose connection is
// nc and becomes the Reader's. It may be called concurrently, before Serve too: then the
// client waits for it. An error says that the client was closed.
func (r *Reader) Adopt(nc net.Conn, c proxy.Client) error {
	r.mu.Lock()
	if len(r.lanes) == 0 && !r.ended {
		r.early = append(r.early, heritage{nc, c})
		r.mu.Unlock()
		return nil
	}
	ended := r.ended
	r.mu.Unlock()
	if ended {
		_ = nc.Close() // nobody would serve it
		return errEnded
	}
	l, ok := r.place()
	if !ok {
		_ = nc.Close() // as who connects is turned away
		return errNoRoom
	}
	return l.server.Adopt(nc, c)
}

// adoptEarly goes on with those that came before there was a lane.
func (r *Reader) adoptEarly() {
	for _, h := range r.takeEarly() {
		_ = r.Adopt(h.nc, h.client) // who cannot be taken is closed
	}
}

func (r *Reader) takeEarly() []heritage {
	r.mu.Lock()
	defer r.mu.Unlock()
	early := r.early
	r.early = nil
	return early
}

// end is for when there will be no lanes any more.
func (r *Reader) end() {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	for _, h := range r.takeEarly() {
		_ = h.nc.Close() // nobody serves it
	}
}
