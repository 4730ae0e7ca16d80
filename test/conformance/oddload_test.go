package conformance

import (
	"bytes"
	"fmt"
	"sync"
	"time"
)

// loader is a client of steadis that asks for what only it knows, on one connection
// that must never end, and checks every byte. It is for one goroutine at a time.
type loader struct {
	name string
	s    *socket
	n    int
}

func newLoader(addr, name string, proto int) (*loader, error) {
	s, err := dial(addr)
	if err != nil {
		return nil, err
	}
	l := &loader{name: name, s: s}
	if proto == 3 {
		s.send(encode("HELLO", "3"))
		s.awaitFrames(1, giveUpWithin)
		if got := s.collect(); len(got) != 1 || got[0][0] != '%' {
			s.close()
			return nil, fmt.Errorf("HELLO 3 answers %q", got)
		}
	}
	return l, nil
}

// round asks for some words in one write and says what is wrong with the answers.
func (l *loader) round() string {
	var raw, want []byte
	for range 1 + l.n%7 {
		l.n++
		word := fmt.Sprintf("own-%s-%d", l.name, l.n)
		if l.n%3 == 0 {
			raw = append(raw, encode("EVAL_RO", "return ARGV[1]", "0", word)...)
		} else {
			raw = append(raw, encode("ECHO", word)...)
		}
		want = fmt.Appendf(want, "$%d\r\n%s\r\n", len(word), word)
	}
	l.s.send(raw)
	var got []byte
	l.s.await(giveUpWithin, func() bool {
		got = append(got, bytes.Join(l.s.collect(), nil)...)
		return len(got) >= len(want) || l.s.broken
	})
	got = append(got, bytes.Join(l.s.collect(), nil)...)
	switch {
	case bytes.Equal(got, want):
		return ""
	case l.s.closed:
		return fmt.Sprintf("another client is disconnected; it got %s", clip(string(got)))
	case bytes.HasPrefix(want, got):
		return fmt.Sprintf("another client waits for more than %v; it got %d bytes of %d", giveUpWithin, len(got), len(want))
	}
	return fmt.Sprintf("another client gets %s instead of %s", clip(string(got)), clip(string(want)))
}

// crowd is some loaders that may run all the time.
type crowd struct {
	loaders []*loader
	wg      sync.WaitGroup // one run for each loader
	stop    chan struct{}

	mu  sync.Mutex // guards bad
	bad []string
}

func newCrowd(addr string, proto, n int) (*crowd, error) {
	c := &crowd{}
	for i := range n {
		l, err := newLoader(addr, fmt.Sprint(i), proto)
		if err != nil {
			return c, err
		}
		c.loaders = append(c.loaders, l)
	}
	return c, nil
}

func (c *crowd) close() {
	for _, l := range c.loaders {
		l.s.close()
	}
}

// start lets every loader run until halt.
func (c *crowd) start() {
	c.stop = make(chan struct{})
	for _, l := range c.loaders {
		c.wg.Add(1)
		go c.run(l)
	}
}

func (c *crowd) run(l *loader) {
	defer c.wg.Done()
	for {
		if bad := l.round(); bad != "" {
			c.note(bad)
			return
		}
		select {
		case <-c.stop:
			return
		case <-time.After(time.Millisecond): // a load, not a flood: there are many of them
		}
	}
}

func (c *crowd) note(bad string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad = append(c.bad, bad)
}

// halt ends what start began.
func (c *crowd) halt() {
	close(c.stop)
	c.wg.Wait()
}

// once lets every loader ask once, one after the other.
func (c *crowd) once() {
	for _, l := range c.loaders {
		if bad := l.round(); bad != "" {
			c.note(bad)
		}
	}
}

// faults gives what was wrong since the last time.
func (c *crowd) faults() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	bad := c.bad
	c.bad = nil
	return bad
}

// giveUpWithin is how soon steadis must have given up a connection with an odd reply
// on it, and answered or disconnected the client. It waits for hold, which is 3 s
// here, for a reply that does not come at all, and some heartbeats to notice.
const giveUpWithin = 6 * time.Second
