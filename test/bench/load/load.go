package load

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	errSurplus = errors.New("load: a reply that nobody waits for")
	errClosed  = errors.New("load: the server closed a connection")
	errReply   = errors.New("load: the server answered with an error")
)

// tickAtLeast bounds how long the loop sleeps, so that it notices ends of contexts.
const tickAtLeast = 20 * time.Millisecond

// Load is a set of connections and what they do. It is for one goroutine: Dial, then
// Run once, then Close.
type Load struct {
	options Options
	driver  driver
	poller  *poller
	clients []*client
	idle    []*client
	scratch []byte
	input   []byte

	began     time.Time
	now       time.Duration // since began, as of the last look at the clock
	measuring bool
	onBegin   func() // may be nil
	refused   bool   // the replies under way have an error among them
	result    Result
	err       error // the first failure: it ends Run
}

// Dial opens all connections and has the server answer a PING on each, one after the
// other, which keeps its backlog short. Subscribers have subscribed when it returns.
func Dial(ctx context.Context, o Options) (*Load, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	l := &Load{options: o, driver: o.driver(), poller: p, input: make([]byte, 256<<10), result: Result{Waits: newWaits()}}
	for i := range o.Clients + o.Idle {
		c, err := l.dial(i)
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("load: client %d of %d at %s: %w", i+1, o.Clients+o.Idle, o.Addr, err), l.Close())
		}
		if i < o.Clients {
			l.clients = append(l.clients, c)
		} else {
			l.idle = append(l.idle, c)
		}
	}
	return l, nil
}

func (l *Load) dial(id int) (*client, error) {
	fd, err := dialSocket(l.options.Addr)
	if err != nil {
		return nil, err
	}
	c := &client{id: id, fd: fd}
	greeting := Command("PING")
	if l.options.FanOut > 0 && id > 0 && id < l.options.Clients {
		greeting = Command("SUBSCRIBE", channel)
	}
	err = exchange(fd, greeting)
	if err == nil {
		err = l.poller.add(fd, id)
	}
	if err != nil {
		closeSocket(fd)
		return nil, err
	}
	return c, nil
}

// Close closes all connections.
func (l *Load) Close() error {
	for _, c := range append(l.clients, l.idle...) {
		if !c.gone {
			closeSocket(c.fd)
		}
	}
	return l.poller.close()
}

// Run makes the load and returns what it measured: after Options.Time, or when ctx
// ends if that is 0, in which case the end is no error.
func (l *Load) Run(ctx context.Context) (Result, error) {
	release := lockThread()
	defer release()
	l.began = time.Now()
	l.result.Began = l.began
	l.driver.begin(l)
	from, to := l.options.WarmUp, l.options.WarmUp+l.options.Time
	for l.err == nil {
		ended := ctx.Err() != nil
		if ended && l.options.Time > 0 {
			return l.result, context.Cause(ctx)
		}
		l.now = time.Since(l.began)
		if !l.measuring && l.now >= from {
			l.measuring = true
			if l.onBegin != nil {
				l.onBegin()
			}
			from, to = l.now, l.now+l.options.Time
		}
		if ended || l.measuring && l.options.Time > 0 && l.now >= to {
			break
		}
		l.turn()
	}
	if l.measuring {
		l.result.Elapsed = l.now - from
	}
	for _, c := range l.clients {
		l.result.Traces = append(l.result.Traces, c.trace)
	}
	return l.result, l.err
}

// OnBegin has Run call f once the warm-up is over and the measurement begins.
func (l *Load) OnBegin(f func()) { l.onBegin = f }

// turn sends what is due, waits for replies, and takes them.
func (l *Load) turn() {
	wait := l.driver.tick(l)
	if wait < 0 || wait > tickAtLeast {
		wait = tickAtLeast
	}
	ready, err := l.poller.wait(wait)
	if err != nil {
		l.fail(err)
	}
	l.now = time.Since(l.began)
	for _, r := range ready {
		c := l.byID(r.id)
		if r.writable && !c.gone {
			l.flush(c)
		}
		if r.readable && !c.gone {
			l.read(c)
		}
	}
}

func (l *Load) byID(id int) *client {
	if id < len(l.clients) {
		return l.clients[id]
	}
	return l.idle[id-len(l.clients)]
}

func (l *Load) read(c *client) {
	n, err := readSocket(c.fd, l.input)
	if errors.Is(err, errAgain) {
		return
	}
	if err != nil || n == 0 {
		l.lose(c)
		return
	}
	replies, err := c.parser.feed(l.input[:n])
	if err != nil {
		l.fail(err)
		return
	}
	if l.refused = c.parser.errors > 0; l.refused {
		l.noteErrors(c)
	}
	if replies > 0 {
		l.driver.replied(l, c, replies)
	}
}

func (l *Load) noteErrors(c *client) {
	if l.result.FirstError == "" {
		l.result.FirstError = c.parser.firstErr
	}
	l.result.Errors += c.parser.errors
	c.parser.errors = 0
	if !l.options.Tolerant {
		l.fail(fmt.Errorf("%w: %s", errReply, l.result.FirstError))
	}
}

// lose gives up a connection that the server closed.
func (l *Load) lose(c *client) {
	c.gone = true
	c.out = nil
	closeSocket(c.fd)
	l.result.Closed++
	if !l.options.Tolerant {
		l.fail(errClosed)
	}
}

// fail ends Run; the first reason counts.
func (l *Load) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// send hands bytes to the client's socket; what it does not take goes out when it can.
func (l *Load) send(c *client, b []byte) {
	if c.gone {
		return
	}
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return
	}
	n, err := writeSocket(c.fd, b)
	switch {
	case err == nil && n == len(b):
	case err == nil || errors.Is(err, errAgain):
		c.out = append(c.out, b[max(n, 0):]...)
		l.arm(c, true)
	default:
		l.lose(c)
	}
}

func (l *Load) flush(c *client) {
	n, err := writeSocket(c.fd, c.out)
	switch {
	case errors.Is(err, errAgain):
	case err != nil:
		l.lose(c)
	default:
		if c.out = c.out[:copy(c.out, c.out[n:])]; len(c.out) == 0 {
			l.arm(c, false)
		}
	}
}

// arm says whether the loop is to wait for c to be writable, too.
func (l *Load) arm(c *client, writable bool) {
	if err := l.poller.watch(c.fd, c.id, writable); err != nil {
		l.fail(err)
	}
}

// count notes n answered requests of so many commands each.
func (l *Load) count(c *client, wait time.Duration, n, commands int) {
	if l.options.Traces && n > 0 && !l.refused {
		c.trace = append(c.trace, l.now)
	}
	if !l.measuring || n == 0 {
		return
	}
	l.result.Waits.add(wait, n)
	l.result.Commands += n * commands
}
