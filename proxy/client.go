package proxy

import (
	"errors"
	"io"
	"net"

	"steadis/proxy/resp"
)

// clientConn is what redcon gets for a client's connection: reads go through the
// guard, and Close says only that redcon is through with it. The session closes
// the connection itself, when the last reply is written.
type clientConn struct {
	*resp.Guard
	session *Session
	fault   string // what the client did wrong; used by redcon's goroutine alone
}

// Read hands out whole commands. A fault in the client's bytes looks like their
// end to redcon, whose own error reply would come out of order.
func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.Guard.Read(p)
	var fault *resp.ProtocolError
	if errors.As(err, &fault) {
		c.fault = fault.Text
		return n, io.EOF
	}
	return n, err
}

// Close is redcon's last word.
func (c *clientConn) Close() error {
	c.session.readEnded(c.fault)
	return c.Guard.Close()
}

// borrowed is a connection that the guard may not close.
type borrowed struct{ net.Conn }

func (borrowed) Close() error { return nil }
