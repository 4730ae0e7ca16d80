package fake

import (
	"bufio"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Call is one command that a server has taken.
type Call struct {
	// Conn numbers the connections of the server from 1.
	Conn int
	// Args are the command's words, Args[0] in upper case.
	Args []string
	At   time.Time
}

// Name is the command, "GET", or with its subcommand "SENTINEL MASTER".
func (c Call) Name() string {
	switch c.Args[0] {
	case "SENTINEL", "CLIENT", "CONFIG", "COMMAND":
		if len(c.Args) > 1 {
			return c.Args[0] + " " + strings.ToUpper(c.Args[1])
		}
	}
	return c.Args[0]
}

// server is what both fakes have in common: connections, records and faults.
type server struct {
	ln     net.Listener
	handle func(*session, Call) // runs on the connection's own goroutine
	leave  func(*session)       // the connection has ended
	wg     sync.WaitGroup

	alive   gate // closed while frozen
	answers gate // closed while replies are held

	mu       sync.Mutex // guards the fields below; nothing blocks under it
	sessions map[*session]bool
	accepted int
	calls    []Call
	delay    time.Duration
	closed   bool
}

// session is one connection of a server.
type session struct {
	srv  *server
	id   int
	conn net.Conn
	in   chan []string // commands off the wire; closed by the reader
	gone chan struct{} // closed when the peer has hung up
	done chan struct{} // closed when the connection has ended

	mu      sync.Mutex // guards the fields below; nothing blocks under it
	out     []reply
	more    chan struct{} // capacity 1: out may have grown
	hangup  bool          // close once out is written
	state   *client       // of Redis; nil for a Sentinel
	topics  map[string]bool
	trusted bool // authenticated
}

func (s *server) start(ln net.Listener, handle func(*session, Call), leave func(*session)) {
	s.ln, s.handle, s.leave = ln, handle, leave
	s.sessions = make(map[*session]bool)
	s.alive.open()
	s.answers.open()
	s.wg.Go(s.accept)
}

// Addr is where the server listens, host:port.
func (s *server) Addr() string { return s.ln.Addr().String() }

// Close ends the server and its connections and waits for its goroutines.
func (s *server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.ln.Close()
	s.Disconnect()
	s.wg.Wait()
}

// Disconnect hangs up on every connection, as CLIENT KILL or a crash does:
// replies that have not been written are lost. New connections are accepted.
func (s *server) Disconnect() {
	s.mu.Lock()
	all := make([]*session, 0, len(s.sessions))
	for c := range s.sessions {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		c.finish() // wakes who waits for a gate
		c.conn.Close()
	}
}

// Freeze stops the server as SIGSTOP does: connections are accepted and what is
// sent to it waits, nothing is taken or answered until Thaw.
func (s *server) Freeze() { s.alive.shut() }

// Thaw ends Freeze; what has arrived meanwhile is taken now.
func (s *server) Thaw() { s.alive.open() }

// HoldReplies makes the server execute commands and keep the replies back, until
// ReleaseReplies. Replies of a connection that ends meanwhile are lost.
func (s *server) HoldReplies() { s.answers.shut() }

// ReleaseReplies ends HoldReplies.
func (s *server) ReleaseReplies() { s.answers.open() }

// Delay makes every later reply late by d.
func (s *server) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// Calls gives every command taken so far, in order, of all connections or, with
// names, only those with one of these names.
func (s *server) Calls(names ...string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(names) == 0 {
		return slices.Clone(s.calls)
	}
	var out []Call
	for _, c := range s.calls {
		if slices.Contains(names, c.Name()) {
			out = append(out, c)
		}
	}
	return out
}

// Forget empties the record of commands.
func (s *server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// Connections says how many connections stand, Accepted how many ever did.
func (s *server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Accepted says how many connections have been accepted so far.
func (s *server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

func (s *server) accept() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		c := &session{srv: s, conn: conn, in: make(chan []string, 256), gone: make(chan struct{}),
			done: make(chan struct{}), more: make(chan struct{}, 1), topics: map[string]bool{}}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			conn.Close()
			continue
		}
		s.accepted++
		c.id = s.accepted
		s.sessions[c] = true
		s.mu.Unlock()
		s.wg.Go(c.write)
		s.wg.Go(c.read)
		s.wg.Go(c.run)
	}
}

// read takes commands off the wire, so that a hang-up is noticed even while a
// command blocks, as an event loop would notice it.
func (c *session) read() {
	defer close(c.in)
	defer close(c.gone)
	r := bufio.NewReader(c.conn)
	for {
		args, err := readCommand(r)
		if err != nil {
			var fault protocolError
			if errors.As(err, &fault) {
				c.send(failure(fault.Error()))
				c.quit()
				<-c.done
			}
			return
		}
		if len(args) == 0 {
			continue
		}
		select {
		case c.in <- args:
		case <-c.done:
			return
		}
	}
}

// run executes commands in order until the connection ends.
func (c *session) run() {
	defer c.end()
	for args := range c.in {
		if !c.srv.alive.wait(c.done) {
			return
		}
		call := Call{Conn: c.id, Args: args, At: time.Now()}
		call.Args[0] = strings.ToUpper(call.Args[0])
		c.srv.mu.Lock()
		c.srv.calls = append(c.srv.calls, call)
		c.srv.mu.Unlock()
		c.srv.handle(c, call)
		if c.finished() {
			return
		}
	}
}

// write sends replies in order until the connection ends.
func (c *session) write() {
	for {
		select {
		case <-c.more:
		case <-c.done:
			c.conn.Close()
			return
		}
		for {
			c.mu.Lock()
			var next reply
			if len(c.out) > 0 {
				next, c.out = c.out[0], c.out[1:]
			}
			hangup := c.hangup && next == ""
			c.mu.Unlock()
			if hangup {
				c.conn.Close()
				c.finish()
				return
			}
			if next == "" {
				break
			}
			if !c.deliver(next) {
				c.conn.Close()
				c.finish()
				return
			}
		}
	}
}

// deliver writes one reply when the faults allow it.
func (c *session) deliver(r reply) bool {
	c.srv.mu.Lock()
	delay := c.srv.delay
	c.srv.mu.Unlock()
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.done:
			return false
		}
	}
	if !c.srv.answers.wait(c.done) || !c.srv.alive.wait(c.done) {
		return false
	}
	_, err := c.conn.Write([]byte(r))
	return err == nil
}

// send queues a reply; it never blocks.
func (c *session) send(r reply) {
	c.mu.Lock()
	c.out = append(c.out, r)
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// quit closes the connection once every queued reply is written.
func (c *session) quit() {
	c.mu.Lock()
	c.hangup = true
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// end is called when the last command has been executed.
func (c *session) end() {
	c.finish()
	c.conn.Close()
	c.srv.mu.Lock()
	delete(c.srv.sessions, c)
	c.srv.mu.Unlock()
	if c.srv.leave != nil {
		c.srv.leave(c)
	}
}

// finish closes done, once.
func (c *session) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
	default:
		close(c.done)
	}
}

func (c *session) finished() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// gate lets everybody pass while it is open.
type gate struct {
	mu   sync.Mutex // guards the channel; nothing blocks under it
	pass chan struct{}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pass == nil {
		g.pass = make(chan struct{})
	}
	select {
	case <-g.pass:
	default:
		close(g.pass)
	}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.pass:
		g.pass = make(chan struct{})
	default:
	}
}

// wait returns true once the gate is open, false if done closes before.
func (g *gate) wait(done <-chan struct{}) bool {
	for {
		g.mu.Lock()
		pass := g.pass
		g.mu.Unlock()
		select {
		case <-pass:
			return true
		case <-done:
			return false
		}
	}
}
