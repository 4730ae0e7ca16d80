package topology

import (
	"context"
	"fmt"
	"net"
	"time"

	"steadis/test/workload/wire"
)

// askEvery is how often AwaitMajority asks each Sentinel, and so the accuracy of
// what it measures.
const askEvery = 3 * time.Millisecond

// Switch is a majority's new mind.
type Switch struct {
	// Addr is what the majority announces.
	Addr string
	// At is when the reply that made the majority arrived.
	At time.Time
}

// opinion is what one Sentinel announces from a moment on.
type opinion struct {
	sentinel int
	addr     string
	at       time.Time
}

// AwaitMajority waits until a majority of the configured Sentinels announces one
// address other than not, asking each of them every 3 ms over a connection of
// its own, and tells when that was. Sentinels that do not answer are asked on.
func (d *Deployment) AwaitMajority(ctx context.Context, not string) (Switch, error) {
	ctx, end := context.WithCancel(ctx)
	opinions := make(chan opinion)
	ended := make(chan struct{})
	for i, s := range d.Sentinels {
		go func() {
			defer func() { ended <- struct{}{} }()
			d.askAlong(ctx, i, s, opinions)
		}()
	}
	defer func() {
		end()
		for range d.Sentinels {
			<-ended
		}
	}()
	latest := map[int]string{}
	for {
		select {
		case o := <-opinions:
			latest[o.sentinel] = o.addr
			if o.addr != not && agreeing(latest, o.addr)*2 > len(d.Sentinels) {
				return Switch{Addr: o.addr, At: o.at}, nil
			}
		case <-ctx.Done():
			return Switch{}, fmt.Errorf("no majority announced another master than %s: %w; last: %v", not, ctx.Err(), latest)
		}
	}
}

func agreeing(latest map[int]string, addr string) int {
	n := 0
	for _, a := range latest {
		if a == addr {
			n++
		}
	}
	return n
}

// askAlong asks one Sentinel until ctx ends and reports every change of its mind.
func (d *Deployment) askAlong(ctx context.Context, index int, s *Node, opinions chan<- opinion) {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	var c *wire.Conn
	defer func() {
		if c != nil {
			_ = c.Close()
		}
	}()
	last := ""
	for {
		if c == nil {
			c, _ = s.Dial(ctx) // nil again if it fails: the next tick tries again
		}
		if c != nil {
			addr, err := announcedOn(ctx, c, d.options.Name)
			if err != nil {
				_ = c.Close()
				c = nil
			} else if addr != last {
				last = addr
				select {
				case opinions <- opinion{index, addr, time.Now()}:
				case <-ctx.Done():
					return
				}
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// announced asks one Sentinel for the master's address.
func announced(ctx context.Context, s *Node, name string) (string, error) {
	c, err := s.Dial(ctx)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return announcedOn(ctx, c, name)
}

func announcedOn(ctx context.Context, c *wire.Conn, name string) (string, error) {
	reply, err := c.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
	if err != nil {
		return "", err
	}
	parts := wire.Strings(reply)
	if len(parts) != 2 {
		return "", fmt.Errorf("no master called %q", name)
	}
	return net.JoinHostPort(parts[0], parts[1]), nil
}
