package load

import "time"

// published is the number of messages under way at one time: enough to keep a server
// busy, too few for its output limits.
const published = 8

// channel is what the publisher of a fan-out publishes to.
const channel = "bench"

// fanOut has the first client publish to all others, which have subscribed. The
// next message goes out once a former one has reached everybody.
type fanOut struct {
	untimed
	message []byte
	sent    int                      // messages published
	sentAt  [published]time.Duration // of the last ones, by their number
	missing [published]int           // subscribers that a message has not reached
}

func newFanOut(size int) *fanOut {
	return &fanOut{message: Command("PUBLISH", channel, string(make([]byte, size)))}
}

func (d *fanOut) begin(l *Load) {
	for range published {
		d.publish(l)
	}
}

func (d *fanOut) publish(l *Load) {
	slot := d.sent % published
	d.sentAt[slot], d.missing[slot] = l.now, len(l.clients)-1
	d.sent++
	l.send(l.clients[0], d.message)
}

// replied takes messages. A subscriber gets them in order, so that its nth one is
// the nth that was published.
func (d *fanOut) replied(l *Load, c *client, n int) {
	if c.id == 0 {
		return // how many got it, as Redis counts
	}
	for range n {
		slot := c.asked % published
		if c.asked++; c.asked > d.sent {
			l.fail(errSurplus)
			return
		}
		l.count(c, l.now-d.sentAt[slot], 1, 1)
		if d.missing[slot]--; d.missing[slot] == 0 {
			d.publish(l)
		}
	}
}
