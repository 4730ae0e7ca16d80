package proxy

import (
	"errors"
	"io"
	"net"

	"github.com/tidwall/redcon"

	"steadis/proxy/resp"
)

// clientConn is what redcon gets for a client's connection: reads go through the
// guard, and Close says only that redcon is through with it. The session closes
// the connection itself, when the last reply is written.
type clientConn struct {
	*resp.Guard
	session *Session
}

// Read hands out whole commands. A fault in the client's bytes it tells the
// session, and then it waits for the client's end: so a client that hangs up while
// its earlier commands wait is noticed, and redcon, whose own error reply would
// come out of order, sees nothing but that end. The session's own closing of the
// connection, behind the error reply, ends the wait too.
func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.Guard.Read(p)
	if err == nil {
		return n, nil
	}
	var fault *resp.ProtocolError
	if !errors.As(err, &fault) {
		return n, err
	}
	c.session.readEnded(fault.Text)
	// A small buffer that all connections share in turn; any error is an end.
	_, _ = io.Copy(io.Discard, c.NetConn())
	return n, io.EOF
}

// unfold puts the command that cmd stands for in its place, if that is a large one
// which the guard has kept from redcon. It returns false if the connection has been
// closed: then cmd, and whatever follows it, is nothing to run. A body is the session's,
// with the next command that it is given.
func (c *clientConn) unfold(cmd *redcon.Command) bool {
	raw, args, body, large := c.TakeLarge(cmd.Args)
	if large {
		cmd.Raw, cmd.Args = raw, args
	}
	if body != nil {
		c.session.takeBody(body)
	}
	return !large || raw != nil
}

// Close is redcon's last word: the client has hung up, or is to be taken as if.
func (c *clientConn) Close() error {
	c.session.readEnded("")
	return c.Guard.Close()
}

// borrowed is a connection that the guard may not close.
type borrowed struct{ net.Conn }

func (borrowed) Close() error { return nil }
