package load

// closed sends a batch of requests on each connection and the next one once all of
// it are answered.
type closed struct {
	untimed
	script Script
	batch  int
}

func (d *closed) begin(l *Load) {
	for _, c := range l.clients {
		d.send(l, c)
	}
}

func (d *closed) send(l *Load, c *client) {
	l.scratch = l.scratch[:0]
	for range d.batch {
		l.scratch = append(l.scratch, d.script.next(c.id+c.asked)...)
		c.asked++
	}
	c.left, c.sentAt = d.batch, l.now
	l.send(c, l.scratch)
}

func (d *closed) replied(l *Load, c *client, n int) {
	done := c.whole(n, d.script.commands)
	l.count(c, l.now-c.sentAt, done, d.script.commands)
	if c.left -= done; c.left <= 0 && !c.gone {
		d.send(l, c)
	}
}
