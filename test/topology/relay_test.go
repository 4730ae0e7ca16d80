package topology_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// pongServer answers every byte with +PONG, and ends with the test.
func pongServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 1024)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := io.WriteString(c, "+PONG\r\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

func TestRelay(t *testing.T) {
	relay, err := topology.NewRelay(pongServer(t))
	must(t, err)
	defer relay.Close()
	ctx := within(t, 10*time.Second)
	c, err := wire.Dial(ctx, relay.Addr())
	must(t, err)
	defer c.Close()
	ping := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		_, err := c.Do(ctx, "PING")
		return err
	}
	must(t, ping(5*time.Second))

	relay.Cut()
	if err := ping(50 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("through a cut relay: %v", err)
	}
	relay.Heal()
	must(t, c.SetDeadline(time.Now().Add(5*time.Second)))
	if reply, err := c.Receive(); err != nil || reply != "PONG" {
		t.Fatalf("what waited at the cut should pass on: %v, %v", reply, err)
	}

	relay.Delay(30 * time.Millisecond)
	sent := time.Now()
	must(t, ping(5*time.Second))
	if took := time.Since(sent); took < 60*time.Millisecond {
		t.Errorf("a delay of 30 ms each way took %v", took)
	}
	relay.Reset()
	if err := ping(5 * time.Second); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after Reset: %v, want a closed connection", err)
	}
	if forward, back := relay.Bytes(); forward == 0 || back != 3*7 || relay.Accepted() != 1 {
		t.Errorf("counted %d bytes there, %d back, %d connections", forward, back, relay.Accepted())
	}
}
