package load

import "strconv"

// handOff has clients in pairs, of which one waits with BLPOP for what the other
// pushes. Each pair begins anew once both are answered.
type handOff struct{ untimed }

// pairKey is the list of a pair, of which c is one.
func pairKey(c *client) string { return "handoff:" + strconv.Itoa(c.id/2) }

func (d *handOff) begin(l *Load) {
	for i := 0; i+1 < len(l.clients); i += 2 {
		d.play(l, l.clients[i], l.clients[i+1])
	}
}

// play asks first and pushes then. Which of them the server sees first is its own
// affair; it has to hand the element over in both cases.
func (d *handOff) play(l *Load, waits, pushes *client) {
	waits.left, pushes.left = 1, 1
	waits.sentAt = l.now
	l.send(waits, Command("BLPOP", pairKey(waits), "0"))
	l.send(pushes, Command("LPUSH", pairKey(pushes), "0123456789abcdef"))
}

func (d *handOff) replied(l *Load, c *client, n int) {
	waits, pushes := l.clients[c.id&^1], l.clients[c.id|1]
	if c.left -= n; c.left < 0 {
		l.fail(errSurplus)
		return
	}
	if c == waits {
		l.count(c, l.now-c.sentAt, n, 2)
	}
	if waits.left == 0 && pushes.left == 0 {
		d.play(l, waits, pushes)
	}
}
