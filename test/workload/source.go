package workload

import (
	"context"
	"fmt"
	"net"

	"steadis/test/workload/wire"
)

// Dialer opens a connection as net.Dialer.DialContext does.
type Dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// Source is a server and how to come to it: where to read lists back, read along
// or ping.
type Source struct {
	// Addr is where to connect (host:port).
	Addr string
	// Username and Password are for AUTH; no AUTH if the password is empty.
	Username, Password string
	// Dial opens the connection; nil means net.Dialer.
	Dial Dialer
}

// dial connects and, if there is a password, authenticates.
func dial(ctx context.Context, to Source) (*wire.Conn, error) {
	open := to.Dial
	if open == nil {
		open = (&net.Dialer{}).DialContext
	}
	raw, err := open(ctx, "tcp", to.Addr)
	if err != nil {
		return nil, err
	}
	c := wire.New(raw)
	if to.Password == "" {
		return c, nil
	}
	auth := []string{"AUTH", to.Password}
	if to.Username != "" {
		auth = []string{"AUTH", to.Username, to.Password}
	}
	if _, err := c.Do(ctx, auth...); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("AUTH: %w", err)
	}
	return c, nil
}
