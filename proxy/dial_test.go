package proxy

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// closeCounter counts the connections that were closed.
type closeCounter struct {
	net.Conn
	closed *atomic.Int32
}

func (c closeCounter) Close() error {
	c.closed.Add(1)
	return c.Conn.Close()
}

// A dial whose SYN was lost is not waited for when a later one would be answered; no
// connection and no goroutine is left of the others (synctest would not end).
func TestHedgedDial(t *testing.T) {
	refused := errors.New("connection refused")
	for _, tt := range []struct {
		name    string
		heals   time.Duration // before that, dials go unanswered
		answers error
		slow    time.Duration // how long an answer takes
		limit   time.Duration
		within  time.Duration
		err     error
		closed  int32
	}{
		{"at once", 0, nil, 0, time.Second, 0, nil, 0},
		{"refused at once", 0, refused, 0, time.Second, 0, refused, 0},
		{"path heals in between", 300 * time.Millisecond, nil, 0, time.Second, 500 * time.Millisecond, nil, 0},
		{"refused once the path has healed", 300 * time.Millisecond, refused, 0, time.Second, 500 * time.Millisecond, refused, 0},
		{"far away", 0, nil, 600 * time.Millisecond, time.Second, 600 * time.Millisecond, nil, 0},
		{"far away, and answers although called off", 0, nil, -600 * time.Millisecond, 2 * time.Second, 1100 * time.Millisecond, nil, 2},
		{"never", time.Hour, nil, 0, time.Second, time.Second, context.DeadlineExceeded, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var closed atomic.Int32
			dial := Hedged(func(ctx context.Context, _, _ string) (net.Conn, error) {
				if time.Since(began) < tt.heals {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				if tt.slow < 0 {
					time.Sleep(-tt.slow)
				} else {
					select {
					case <-time.After(tt.slow):
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}
				if tt.answers != nil {
					return nil, tt.answers
				}
				ours, theirs := net.Pipe()
				_ = theirs.Close()
				return closeCounter{ours, &closed}, nil
			})
			ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
			defer cancel()
			conn, err := dial(ctx, "tcp", "192.0.2.1:6379")
			if !errors.Is(err, tt.err) || (conn != nil) != (tt.err == nil) {
				t.Errorf("%s: %v, %v; want error %v", tt.name, conn, err, tt.err)
			}
			if took := time.Since(began); took != tt.within {
				t.Errorf("%s: took %v, want %v", tt.name, took, tt.within)
			}
			if n := closed.Load(); n != tt.closed {
				t.Errorf("%s: %d connections closed, want %d", tt.name, n, tt.closed)
			}
		})
	}
}
