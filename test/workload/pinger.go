package workload

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"steadis/test/workload/wire"
)

// Ping is one PING over a connection of its own.
type Ping struct {
	At time.Time
	// Took is the time from the dial to the reply.
	Took time.Duration
	// Reply is "PONG", the text of an error reply, or the failure.
	Reply string
	// Failed says that there was no reply at all.
	Failed bool
}

// Pinger sends PING over a fresh connection, again and again. It behaves like a
// health check.
type Pinger struct {
	end   context.CancelFunc
	ended sync.WaitGroup
	seen  atomic.Int64
	pings []Ping // the goroutine's until it has ended
}

// Seen is the number of pings that have come to their end so far.
func (p *Pinger) Seen() int { return int(p.seen.Load()) }

// pingPatience is how long one PING may take before it counts as failed.
const pingPatience = 5 * time.Second

// StartPinger pings addr every interval until Stop or until ctx ends.
func StartPinger(ctx context.Context, addr string, interval time.Duration) *Pinger {
	return StartPingerAt(ctx, Source{Addr: addr}, interval)
}

// StartPingerAt is StartPinger for a server that asks for a password or is
// reached in its own way.
func StartPingerAt(ctx context.Context, at Source, interval time.Duration) *Pinger {
	ctx, end := context.WithCancel(ctx)
	p := &Pinger{end: end}
	p.ended.Add(1)
	go p.run(ctx, at, interval)
	return p
}

// Stop ends the pinging and gives what was seen, without a PING that it cut off.
func (p *Pinger) Stop() []Ping {
	p.end()
	p.ended.Wait()
	return p.pings
}

func (p *Pinger) run(ctx context.Context, at Source, interval time.Duration) {
	defer p.ended.Done()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		one := ping(ctx, at)
		if ctx.Err() != nil {
			return
		}
		p.pings = append(p.pings, one)
		p.seen.Add(1)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func ping(ctx context.Context, at Source) Ping {
	ctx, cancel := context.WithTimeout(ctx, pingPatience)
	defer cancel()
	one := Ping{At: time.Now()}
	one.Reply, one.Failed = pingOnce(ctx, at)
	one.Took = time.Since(one.At)
	return one
}

func pingOnce(ctx context.Context, at Source) (reply string, failed bool) {
	c, err := dial(ctx, at)
	if err != nil {
		return err.Error(), true
	}
	defer c.Close()
	answer, err := c.Do(ctx, "PING")
	var refusal wire.Error
	if errors.As(err, &refusal) {
		return refusal.Error(), false
	}
	if err != nil {
		return err.Error(), true
	}
	text, _ := answer.(string)
	return text, false
}

// Between gives the pings that began in [from, to].
func Between(pings []Ping, from, to time.Time) []Ping {
	var some []Ping
	for _, p := range pings {
		if !p.At.Before(from) && !p.At.After(to) {
			some = append(some, p)
		}
	}
	return some
}
