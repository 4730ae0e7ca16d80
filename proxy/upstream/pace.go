package upstream

import (
	"context"
	"sync"
	"time"
)

// paceBurst is for how long a pace that was not used may be made up for.
const paceBurst = 20 * time.Millisecond

// pace spreads dials over time, so that a new master, to which thousands of clients need a
// connection of their own at once, has time left for commands. Methods may be called
// concurrently.
type pace struct {
	every time.Duration // 0: no bound

	mu   sync.Mutex // guards next
	next time.Time  // when the next dial may be made
}

// newPace allows rate dials in a second; 0: as many as there are.
func newPace(rate int) *pace {
	if rate <= 0 {
		return &pace{}
	}
	return &pace{every: time.Second / time.Duration(rate)}
}

// reserve takes the next place at now and says how long it is to wait for it.
func (p *pace) reserve(now time.Time) time.Duration {
	if p.every == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if earliest := now.Add(-paceBurst); p.next.Before(earliest) {
		p.next = earliest
	}
	at := p.next
	p.next = at.Add(p.every)
	return at.Sub(now)
}

// reset forgets all places: who waits for one is called off (await's ctx ends).
func (p *pace) reset() {
	p.mu.Lock()
	p.next = time.Time{}
	p.mu.Unlock()
}

// await waits for a place, or for ctx to end, whose error it returns.
func (p *pace) await(ctx context.Context) error {
	d := p.reserve(time.Now())
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
