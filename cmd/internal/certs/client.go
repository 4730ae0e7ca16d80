package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"
)

// Dial opens a connection as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// Dialer makes of dial one whose connections speak TLS as k says at that moment.
func (k *Keeper) Dialer(dial Dial) Dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return k.Secure(ctx, nc, addr)
	}
}

// Secure does the handshake, as client, on a connection that was dialled to addr, within
// ctx. Without TLS it returns nc. It closes nc if it fails.
func (k *Keeper) Secure(ctx context.Context, nc net.Conn, addr string) (net.Conn, error) {
	c := k.Config()
	if c == nil {
		return nc, nil
	}
	if c.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = addr
		}
		host, _, _ = strings.Cut(host, "%") // a zone is in no certificate
		c = c.Clone()
		c.ServerName = host
	}
	secure := tls.Client(nc, c)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = nc.Close() // it is of no use
		return nil, fmt.Errorf("TLS with %s: %w%s", addr, err, advice(err))
	}
	return &conn{Conn: secure, below: nc}, nil
}

// advice says what to do about a handshake that failed, if that is known.
func advice(err error) string {
	var (
		noTLS   tls.RecordHeaderError
		name    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &noTLS):
		return " (is this the tls-port?)"
	case errors.As(err, &name):
		return " (set server_name to a name that is in the certificate)"
	case errors.As(err, &unknown):
		return " (set ca_file to the authority that has signed the certificate)"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return " (renew the server's certificate)"
	}
	return ""
}

// conn is a connection whose Write says what the peer has said, and whose Close never waits:
// crypto/tls' own waits for up to 5 s until a peer that has stopped reading takes a last word, and
// those who close connections to a frozen master have no time for that.
type conn struct {
	*tls.Conn
	below net.Conn
}

// Close ends the connection without a last word.
func (c *conn) Close() error { return c.below.Close() }

// Write writes. If the peer has hung up, the error is its reason, should it have given one: in TLS
// 1.3 a server refuses a client's certificate, or the lack of one, when the client takes
// the handshake for done (RFC 8446 section 4.4.2.4), and what it writes then is reset.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		_ = c.SetReadDeadline(time.Now().Add(lastWord)) // an error: it is closed, and so says Read
		var said *net.OpError
		if _, alert := c.Read(make([]byte, 1)); errors.As(alert, &said) && said.Op == "remote error" {
			return n, alert
		}
	}
	return n, err
}

// lastWord is how long what has come already may take to be read.
const lastWord = 100 * time.Millisecond
