package fanout

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"steadis/proxy/upstream"
)

// crowd counts what its listeners get.
type crowd struct {
	n    atomic.Int64
	goal atomic.Int64
	met  chan struct{} // capacity 1; gets a token at the goal
}

// listener is the cheapest Subscriber that is still like a session: it copies the
// message under a lock and is settled once for a run.
type listener struct {
	*crowd
	mu    sync.Mutex // guards the fields below
	out   []byte
	dirty bool
	m     *Member
	done  chan struct{}
}

func (c *crowd) listener(h *Hubs) *listener {
	p := &listener{crowd: c, done: make(chan struct{}, 1)}
	p.m = h.Join(nobody, p)
	return p
}

func (p *listener) Message(s *Subscription, frame []byte) upstream.Owner {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !s.Live() {
		return nil
	}
	p.out = append(p.out, frame...)
	if p.n.Add(1) == p.goal.Load() {
		p.met <- struct{}{}
	}
	if p.dirty {
		return nil
	}
	p.dirty = true
	return p
}

func (p *listener) Settle() {
	p.mu.Lock()
	p.out, p.dirty = p.out[:0], false
	p.mu.Unlock()
}

func (p *listener) Subscribed(*Ticket, []byte) upstream.Owner   { p.done <- struct{}{}; return nil }
func (p *listener) Gap()                                        { p.done <- struct{}{} }
func (p *listener) Refused(Kind, string, []byte) upstream.Owner { panic("refused") }
func (p *listener) Rejected([]byte) upstream.Owner              { panic("rejected") }

// TestHundredThousandNames: they are subscribed, moved to a new master and dropped, in
// commands that leave Redis time for others, and cost some hundred bytes each.
func TestHundredThousandNames(t *testing.T) {
	const members, each = 100, 1000
	a, b := startRedis(t), startRedis(t)
	r := newRig(t, Options{Lines: 2})
	r.open(a)
	var c crowd
	before := heap()
	all := make([]*listener, members)
	began := time.Now()
	for i := range all {
		names := make([]string, each)
		for j := range names {
			names[j] = fmt.Sprintf("some:channel:%d:%d", i, j)
		}
		all[i] = c.listener(r.hubs)
		all[i].m.Subscribe(Channels, names)
	}
	for _, p := range all {
		<-p.done
	}
	t.Logf("subscribed in %v", time.Since(began))
	perName := float64(heap()-before) / (members * each)
	t.Logf("%.0f bytes a name, its own included", perName)
	if perName > 400 {
		t.Errorf("%.0f bytes a name", perName)
	}
	if n := len(a.list("PUBSUB", "CHANNELS")); n != members*each {
		t.Errorf("%d channels", n)
	}
	began = time.Now()
	r.open(b)
	for _, p := range all {
		<-p.done
	}
	t.Logf("moved in %v", time.Since(began))
	if n := len(b.list("PUBSUB", "CHANNELS")); n != members*each {
		t.Errorf("%d channels on the new master", n)
	}
	began = time.Now()
	for _, p := range all {
		p.m.Leave()
	}
	eventually(t, "channels", func() int { return len(b.list("PUBSUB", "CHANNELS")) }, func(n int) bool { return n == 0 })
	t.Logf("dropped in %v", time.Since(began))
	if n := r.hubs.Stats().Names; n != 0 {
		t.Errorf("%d names are left", n)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestFanOutAllocatesNothing: not for a subscriber, and not for a message.
func TestFanOutAllocatesNothing(t *testing.T) {
	s := startRedis(t)
	r := newRig(t, Options{Lines: 1})
	r.open(s)
	var c crowd
	first := c.listener(r.hubs)
	first.m.Subscribe(Channels, []string{"hot"})
	<-first.done
	for range 999 {
		if c.listener(r.hubs).m.Subscribe(Channels, []string{"hot"}) != nil {
			t.Fatal("not ready")
		}
	}
	l := first.m.line
	frame := []byte(message(Channels, "hot", "hello"))
	got := testing.AllocsPerRun(100, func() {
		if o := l.Push(l.link, frame); o != nil {
			l.Push(l.link, frame)
			o.Settle()
		}
	})
	if got > 1 { // the race detector's own
		t.Errorf("%.1f allocations for 2 messages to 1000 subscribers", got)
	}
	if n := c.n.Load(); n != 101*2*1000 {
		t.Errorf("%d messages", n)
	}
}

// BenchmarkFanOut is one publisher and 5,000 subscribers of one channel, through a real
// redis-server. An iteration is one message, published and delivered to all.
func BenchmarkFanOut(b *testing.B) {
	for _, lines := range []int{1, 2} {
		b.Run(fmt.Sprintf("lines=%d", lines), func(b *testing.B) { fanOut(b, lines, 5000) })
	}
}

func fanOut(b *testing.B, lines, members int) {
	s := startRedis(b)
	r := newRig(b, Options{Lines: lines})
	r.open(s)
	c := &crowd{met: make(chan struct{}, 1)}
	for range members {
		p := c.listener(r.hubs)
		if p.m.Subscribe(Channels, []string{"hot"}) != nil {
			<-p.done
		}
	}
	payload := string(make([]byte, 100))
	c.goal.Store(int64(b.N) * int64(members))
	b.ReportAllocs()
	b.ResetTimer()
	const ahead = 256 // published and not delivered, or Redis cuts the line off
	for i := range b.N {
		s.send("PUBLISH", "hot", payload)
		s.reply()
		for int64(i)*int64(members)-c.n.Load() > ahead*int64(members) {
			runtime.Gosched()
		}
	}
	<-c.met
	b.ReportMetric(float64(b.N)*float64(members)/b.Elapsed().Seconds(), "deliveries/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkPush is the hub's own part of that: one message to 5,000 subscribers.
func BenchmarkPush(b *testing.B) {
	s := startRedis(b)
	r := newRig(b, Options{Lines: 1})
	r.open(s)
	var c crowd
	var l *line
	for range 5000 {
		p := c.listener(r.hubs)
		if p.m.Subscribe(Channels, []string{"hot"}) != nil {
			<-p.done
		}
		l = p.m.line
	}
	frame := []byte(message(Channels, "hot", string(make([]byte, 100))))
	b.ReportAllocs()
	for b.Loop() {
		if o := l.Push(l.link, frame); o != nil {
			o.Settle()
		}
	}
}

// BenchmarkPatterns is what a restoration of many patterns costs Redis, whose PSUBSCRIBE
// goes through all patterns of the connection.
func BenchmarkPatterns(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := startRedis(b)
			r := newRig(b, Options{Lines: 1})
			r.open(s)
			var c crowd
			p := c.listener(r.hubs)
			names := make([]string, n)
			for i := range names {
				names[i] = fmt.Sprintf("some:pattern:%d:*", i)
			}
			p.m.Subscribe(Patterns, names)
			<-p.done
			for b.Loop() {
				s.must("CLIENT KILL TYPE pubsub")
				<-p.done
			}
		})
	}
}
