package load

import "time"

// open sends requests when they fall due, the clients taking turns. A client whose
// depth is used up sends later, and the wait counts from the due time all the same.
type open struct {
	script   Script
	schedule schedule
	depth    int // most requests in flight on one connection; 0: any number
	began    time.Duration
}

func (d *open) begin(l *Load) { d.began = l.now }

func (d *open) tick(l *Load) time.Duration {
	for {
		n, due, ok := d.schedule.take(l.now - d.began)
		if !ok {
			return d.schedule.wait(l.now - d.began)
		}
		c := l.clients[n%len(l.clients)]
		due += d.began
		if d.depth > 0 && len(c.inFlight) >= d.depth {
			c.waiting = append(c.waiting, due)
			continue
		}
		d.send(l, c, due)
	}
}

func (d *open) send(l *Load, c *client, due time.Duration) {
	c.inFlight = append(c.inFlight, due)
	l.send(c, d.script.next(c.id+c.asked))
	c.asked++
}

func (d *open) replied(l *Load, c *client, n int) {
	for range c.whole(n, d.script.commands) {
		if len(c.inFlight) == 0 {
			l.fail(errSurplus)
			return
		}
		l.count(c, l.now-c.inFlight[0], 1, d.script.commands)
		c.inFlight = dropFirst(c.inFlight)
		if len(c.waiting) > 0 && !c.gone {
			due := c.waiting[0]
			c.waiting = dropFirst(c.waiting)
			d.send(l, c, due)
		}
	}
}

// dropFirst removes the first element and keeps the memory.
func dropFirst(list []time.Duration) []time.Duration {
	return list[:copy(list, list[1:])]
}
