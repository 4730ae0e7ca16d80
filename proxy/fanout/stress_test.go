package fanout

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// key is a name of a kind.
type key struct {
	kind Kind
	name string
}

// place is where a stream of messages has got to.
type place struct {
	conn *upstream.Conn
	n    int
}

// restless is a Subscriber that keeps count of what it must get.
type restless struct {
	t        *testing.T
	received *atomic.Int64

	mu   sync.Mutex // taken before the hub's
	m    *Member
	has  map[key]bool        // confirmed
	seen map[string]place    // by subscription and channel
	done chan *Ticket        // never full: one ticket at a time is waited for
	last map[string]struct{} // payloads of the last round
	gaps int
}

func (p *restless) fault(format string, args ...any) { p.t.Errorf(format, args...) }

// Message checks that the message may come, and that none before it is missing: on
// one connection the numbers that a channel carries have no hole.
func (p *restless) Message(s *Subscription, frame []byte) upstream.Owner {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.received.Add(1)
	if !s.Live() {
		return nil
	}
	k := key{s.Kind(), s.Name()}
	if !p.has[k] {
		p.fault("a message for %v, which is not subscribed", k)
		return nil
	}
	parts := resp.Elements(frame)
	channel, _ := firstBulk(parts[len(parts)-2])
	payload, _ := firstBulk(parts[len(parts)-1])
	if name, ok := strings.CutPrefix(string(payload), "last "); ok {
		p.last[fmt.Sprint(k, name)] = struct{}{}
		return nil
	}
	n, _ := strconv.Atoi(string(payload))
	p.m.line.mu.Lock()
	now := place{p.m.line.conn, n}
	p.m.line.mu.Unlock()
	stream := fmt.Sprint(k, " ", string(channel))
	if old, ok := p.seen[stream]; ok && old.conn == now.conn && n != old.n+1 {
		p.fault("%s: %d after %d on one connection", stream, n, old.n)
	}
	p.seen[stream] = now
	return nil
}

func (p *restless) Subscribed(t *Ticket, refusal []byte) upstream.Owner {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !t.Live() {
		return nil
	}
	if refusal != nil {
		p.fault("refused: %s", refusal)
	}
	p.confirm(t.Kind(), t.Names())
	p.done <- t
	return nil
}

func (p *restless) confirm(kind Kind, names []string) {
	for _, name := range names {
		p.has[key{kind, name}] = true
	}
}

func (p *restless) Gap() { p.mu.Lock(); p.gaps++; p.mu.Unlock() }
func (p *restless) Refused(kind Kind, name string, frame []byte) upstream.Owner {
	p.fault("refused: %v %s %s", kind, name, frame)
	return nil
}
func (p *restless) Rejected(frame []byte) upstream.Owner {
	p.fault("rejected: %s", frame)
	return nil
}

// names are few, so that people share them and often are a name's first or last.
func someNames(rnd *rand.Rand, kind Kind) []string {
	names := make([]string, 1+rnd.IntN(3))
	for i := range names {
		switch kind {
		case Channels:
			names[i] = fmt.Sprint("c", rnd.IntN(10))
		case Patterns:
			names[i] = fmt.Sprint("*", rnd.IntN(10))
		case Shards:
			names[i] = fmt.Sprint("s", rnd.IntN(4))
		}
	}
	return names
}

// run subscribes and unsubscribes until quiet, and then waits for what is under way.
func (p *restless) run(r *rig, seed uint64, quiet *atomic.Bool) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	for !quiet.Load() {
		kind := Kind(rnd.IntN(kinds))
		names := someNames(rnd, kind)
		switch rnd.IntN(12) {
		case 0:
			p.rejoin(r)
		case 1, 2, 3, 4, 5:
			p.drop(kind, names)
		default:
			p.want(kind, names, rnd.IntN(6) == 0)
		}
	}
}

func (p *restless) rejoin(r *rig) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m.Leave()
	clear(p.has)
	clear(p.seen)
	p.m = r.hubs.Join(nobody, p)
}

func (p *restless) drop(kind Kind, names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m.Unsubscribe(kind, names)
	for _, name := range names {
		delete(p.has, key{kind, name})
		maps.DeleteFunc(p.seen, func(stream string, _ place) bool {
			return strings.HasPrefix(stream, fmt.Sprint(key{kind, name}, " "))
		})
	}
}

func (p *restless) want(kind Kind, names []string, cancel bool) {
	p.mu.Lock()
	t := p.m.Subscribe(kind, names)
	if t == nil {
		p.confirm(kind, names)
	}
	p.mu.Unlock()
	if t == nil {
		return
	}
	if cancel {
		p.mu.Lock()
		if len(p.done) == 0 {
			p.m.Cancel(t)
			t = nil
		}
		p.mu.Unlock()
	}
	if t != nil {
		<-p.done
	}
}

// chatter publishes numbers on every channel until quiet.
func chatter(s *server, quiet *atomic.Bool) {
	const rounds = 8 // published before the replies are read
	for n := 0; !quiet.Load(); n += rounds {
		for round := range rounds {
			for i := range 10 {
				s.send("PUBLISH", fmt.Sprint("c", i), strconv.Itoa(n+round))
			}
			for i := range 4 {
				s.send("SPUBLISH", fmt.Sprint("s", i), strconv.Itoa(n+round))
			}
		}
		for range rounds * 14 {
			s.reply()
		}
	}
}

// TestStress: people come and go, the master moves, connections are lost; nobody gets
// what it has not subscribed, nobody misses a message on a connection that stands, and
// in the end Redis has subscribed what is wanted and nothing else.
func TestStress(t *testing.T) {
	a, b := startRedis(t), startRedis(t)
	r := newRig(t, Options{Lines: 2})
	var received atomic.Int64
	people := make([]*restless, 24)
	var quiet, silent atomic.Bool
	var busy, talk sync.WaitGroup
	for i := range people {
		p := &restless{t: t, received: &received, has: map[key]bool{}, seen: map[string]place{},
			done: make(chan *Ticket, 1), last: map[string]struct{}{}}
		p.m = r.hubs.Join(nobody, p)
		people[i] = p
		busy.Go(func() { p.run(r, uint64(i), &quiet) })
	}
	for _, s := range []*server{a.again(t), b.again(t)} {
		talk.Go(func() { chatter(s, &silent) })
	}
	afflict(r, a, b, &received)
	quiet.Store(true)
	busy.Wait()
	silent.Store(true)
	talk.Wait()
	verify(r, a, b, people)
	for _, p := range people {
		p.m.Leave()
	}
	b.becomes(nil, "PUBSUB", "CHANNELS")
	b.becomes(nil, "PUBSUB", "SHARDCHANNELS")
	if n := b.number("PUBSUB", "NUMPAT"); n != 0 {
		t.Errorf("%d patterns are left", n)
	}
}

// afflict moves the gate and cuts connections, with some messages in between, and
// leaves the gate open to b.
func afflict(r *rig, a, b *server, received *atomic.Int64) {
	rnd := rand.New(rand.NewPCG(7, 7))
	masters := []*server{a, b}
	now, slowest := 0, time.Duration(0)
	r.open(a)
	for range 40 {
		switch rnd.IntN(5) {
		case 0:
			r.pool.Close()
			r.reopen(masters[now])
		case 1:
			masters[now].must("CLIENT KILL TYPE pubsub")
		case 2:
			r.pool.Close()
			r.pool.GiveUp()
			fallthrough
		default:
			now = 1 - now
			r.open(masters[now])
		}
		if rnd.IntN(3) > 0 { // else the next blow falls at once
			n := received.Load()
			began := time.Now()
			eventually(r.t, "messages", received.Load, func(m int64) bool { return m > n+1500 })
			slowest = max(slowest, time.Since(began))
		}
	}
	r.t.Logf("%d messages; at most %v until they flowed again", received.Load(), slowest)
	r.pool.Close()
	r.open(b)
}

// verify compares what Redis has with what people want, and sends everyone one last
// message.
func verify(r *rig, a, b *server, people []*restless) {
	want := map[key]bool{}
	for _, p := range people {
		maps.Copy(want, p.has)
	}
	byKind := func(kind Kind) (names []string) {
		for k := range want {
			if k.kind == kind {
				names = append(names, k.name)
			}
		}
		return names
	}
	b.becomes(byKind(Channels), "PUBSUB", "CHANNELS")
	b.becomes(byKind(Shards), "PUBSUB", "SHARDCHANNELS")
	patterns := byKind(Patterns)
	eventually(r.t, "PUBSUB NUMPAT", func() int { return b.number("PUBSUB", "NUMPAT") }, func(n int) bool { return n == len(patterns) })
	a.becomes(nil, "PUBSUB", "CHANNELS")
	for i := range 10 {
		b.do("PUBLISH", fmt.Sprint("c", i), fmt.Sprint("last c", i))
	}
	for i := range 4 {
		b.do("SPUBLISH", fmt.Sprint("s", i), fmt.Sprint("last s", i))
	}
	gaps := 0
	for i, p := range people {
		var due []string
		for k := range p.has {
			due = append(due, fmt.Sprint(k, strings.Replace(k.name, "*", "c", 1))) // *3 fits c3 alone
		}
		slices.Sort(due)
		eventually(r.t, fmt.Sprintf("the last messages of %d, of %d", i, len(due)), func() []string {
			p.mu.Lock()
			defer p.mu.Unlock()
			return slices.Sorted(maps.Keys(p.last))
		}, func(got []string) bool { return slices.Equal(got, due) })
		gaps += p.gaps
	}
	if gaps == 0 {
		r.t.Error("nobody had a gap")
	}
}
