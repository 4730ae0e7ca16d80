package proxy

import (
	"errors"
	"io"
	"os"
	"sync/atomic"

	"steadis/proxy/resp"
)

// clientConn is what redcon gets for a client's connection: reads go through the
// guard, and Close says only that nobody reads any more. The session closes
// the connection itself, when the last reply is written.
//
// redcon accepts clients and hands each over (redcon.Conn.Detach), at the bell: a command
// of our own, which is all that it ever reads. A goroutine for each client, as redcon has it, costs a
// tenth where each sends one command at a time (loop.go). Its parser makes three allocations for each
// command, and scans it once more, which was a sixth of steadis' time where clients
// pipeline (GET, 16 at a time), and its buffers are 12 kB for each client, most of what an
// idle one cost. What has come is kept as one batch.
type clientConn struct {
	*resp.Guard
	session *Session
	rung    bool // redcon has been given the bell

	// Owned by who reads.
	in    inlet
	batch *batch
	carry []byte // the beginning of a command of which the guard has more

	loop atomic.Pointer[loop] // which reads it while nothing has to wait; nil: serve only
	seat seat
}

// bell is what redcon is handed.
const bell = "*1\r\n$4\r\nbell\r\n"

// Read is redcon's.
func (c *clientConn) Read(p []byte) (int, error) {
	if c.rung {
		return 0, io.EOF // it has been told to let go
	}
	c.rung = true
	return copy(p, bell), nil
}

// serve is the goroutine that reads a client which no loop reads, until there is nothing more
// to read, or the loop can go on.
func (c *clientConn) serve() {
	c.in.prompt = false
	for crowded := true; ; {
		if crowded {
			c.session.awaitRoom()
		}
		c.session.server.awaitMemory()
		if err := c.next(); err != nil {
			if c.goesOn(err) {
				continue
			}
			c.Close()
			return
		}
		if crowded = c.take(); !crowded && c.toLoop() {
			return
		}
	}
}

// next reads a batch of whole commands.
func (c *clientConn) next() error {
	for {
		c.SetMaxBulk(c.session.server.set.Load().Limits.Bulk)
		b, found, err := c.Guard.Next(&c.in)
		kept := err == nil && c.keep(b, found)
		c.in.giveBack()
		if err != nil || kept {
			return err
		}
	}
}

// goesOn says whether the client is to be read on in spite of an error. A fault in the
// client's bytes it tells the session, and then it waits for the client's end: so a client
// that hangs up while its earlier commands wait is noticed. The session's own closing of the
// connection, behind the error reply, ends the wait too.
func (c *clientConn) goesOn(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) && c.session.server.ending.Load() != serving {
		return !c.leave()
	}
	var fault *resp.ProtocolError
	if errors.As(err, &fault) {
		c.session.readEnded(fault.Text)
		// A small buffer that all connections share in turn; any error is an end.
		_, _ = io.Copy(io.Discard, c.NetConn())
	}
	return false
}

// keep makes a batch of what the guard has handed out. It returns false if that is not a
// whole command yet.
func (c *clientConn) keep(b []byte, found *resp.Found) bool {
	if found != nil && c.carry == nil {
		args := 0
		for _, cmd := range found.Commands {
			args += int(cmd.B)
		}
		c.batch = newBatch(len(b), len(found.Commands), args)
		c.batch.fillFound(c.batch.copyOf(b), found, args)
		return true
	}
	raw := make([]byte, len(c.carry)+len(b))
	copy(raw[copy(raw, c.carry):], b)
	commands, args, whole := resp.CountCommands(raw)
	c.carry = nil
	if whole < len(raw) {
		c.carry = raw[whole:]
	}
	if commands == 0 {
		return false
	}
	c.batch = newBatch(0, commands, args) // raw is kept as it is
	c.batch.fill(raw[:whole], args)
	return true
}

// take gives the batch to the session. It returns true if the client is not to be read before
// there is room.
func (c *clientConn) take() (crowded bool) {
	b := c.batch
	c.batch = nil
	for i := range b.commands {
		if !c.unfold(&b.commands[i]) {
			b.commands = b.commands[:i]
			break
		}
	}
	return len(b.commands) > 0 && c.session.submit(b, c.in.prompt)
}

// unfold puts the command that cmd stands for in its place, if that is a large one
// which the guard has kept from the others. It returns false if the connection has been
// closed: then cmd, and whatever follows it, is nothing to run. A body is the session's,
// with the next command that it is given.
func (c *clientConn) unfold(cmd *clientCommand) bool {
	raw, args, body, large := c.TakeLarge(cmd.args)
	if large {
		cmd.raw, cmd.args = raw, args
	}
	if body != nil {
		c.session.takeBody(body)
	}
	return !large || raw != nil
}

// Close is the last word of who reads: the client has hung up, or is to be taken as if.
func (c *clientConn) Close() error {
	c.session.readEnded("")
	return c.Guard.Close()
}
