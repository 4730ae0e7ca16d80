package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"steadis/test/workload/wire"
)

// restTime is how long idle clients are left alone before the memory counts, so that
// what a target gives back soon is given back.
const restTime = 2 * time.Second

// idleRow measures the memory of a proxy for each client that has sent a PING and is
// silent since. The target is a fresh one, so that it has no memory of former loads.
func idleRow(name string, clients int) row {
	return row{
		name: name, about: fmt.Sprintf("%d idle clients, memory of the proxy for each", clients), short: true,
		needs: aProxy, start: anew,
		measure: func(ctx context.Context, b *bench, t *running) (figures, error) {
			n := min(clients, b.rig.files-ownFiles)
			if t.clients > 0 {
				n = min(n, t.clients)
			}
			return measureIdle(ctx, t, n)
		},
	}
}

func measureIdle(ctx context.Context, t *running, clients int) (f figures, err error) {
	before, err := residentBytes(t.pid)
	if err != nil {
		return figures{}, err
	}
	var open []*wire.Conn
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.Close())
		}
	}()
	for i := range clients {
		c, err := dialIdle(ctx, t)
		if err != nil {
			return figures{}, fmt.Errorf("client %d: %w", i+1, err)
		}
		open = append(open, c)
		if _, err := c.Do(ctx, "PING"); err != nil {
			return figures{}, fmt.Errorf("client %d: %w", i+1, err)
		}
	}
	select {
	case <-time.After(restTime):
	case <-ctx.Done():
		return figures{}, context.Cause(ctx)
	}
	after, err := residentBytes(t.pid)
	if err != nil {
		return figures{}, err
	}
	return figures{Each: float64(after-before) / float64(clients) / 1e3, RSS: float64(after) / 1e6}, nil
}

func dialIdle(ctx context.Context, t *running) (*wire.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.addr)
	if err == nil && t.tls {
		secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // its certificate is one of ours
		c, err = secure, secure.HandshakeContext(ctx)
	}
	if err != nil {
		return nil, err
	}
	return wire.New(c), nil
}
