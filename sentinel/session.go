package sentinel

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// session keeps in touch with one Sentinel by two goroutines: listen holds the
// subscription, ask puts the questions. They are independent, so that a Sentinel
// whose ACL forbids SUBSCRIBE is polled all the same, and one that answers late
// still has its events heard. Both turn what they see into inputs and decide
// nothing.
//
// A subscription that has just been made always wakes ask: what happened before
// it is asked for, what happens after it is heard.
type session struct {
	o       *Options
	addr    string
	learned bool
	report  func(ctx context.Context, in input)
	wake    chan struct{} // capacity 1: ask now, or once more after this question
	pace    atomic.Int64  // time between two questions, ns
	hurry   chan struct{} // capacity 1: pace has become shorter
	cancel  context.CancelFunc
	// ready is closed when the first attempt to subscribe has ended either way.
	ready chan struct{}
	once  sync.Once
}

func newSession(o *Options, addr string, learned bool, report func(context.Context, input)) *session {
	s := &session{o: o, addr: addr, learned: learned, report: report,
		wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), ready: make(chan struct{})}
	s.pace.Store(int64(o.Poll))
	return s
}

// run blocks until ctx ends and both goroutines have.
func (s *session) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { s.listen(ctx) })
	s.ask(ctx)
	wg.Wait()
}

// poke makes ask put its questions now. It never blocks.
func (s *session) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// setPace changes the time between two questions; a shorter one counts from now.
func (s *session) setPace(every time.Duration) {
	if old := s.pace.Swap(int64(every)); int64(every) < old {
		select {
		case s.hurry <- struct{}{}:
		default:
		}
	}
}

const (
	backoffFirst = 50 * time.Millisecond
	backoffMax   = 2 * time.Second
	// backoffOdd is the longest pause while a master is being looked for:
	// service is to resume within a second of the Sentinels being back.
	backoffOdd = 500 * time.Millisecond
	// forbiddenPause is the time between attempts to subscribe where the ACL
	// forbids it: an operator may change that.
	forbiddenPause = time.Minute
	// peersEvery is the time between two questions for the other Sentinels, replicasEvery
	// between two for the replicas: Sentinel itself asks the master every 10 s.
	peersEvery    = 10 * time.Second
	replicasEvery = 5 * time.Second
)

// Jitter spreads d by +-20 %, so that many processes do not ask at one moment.
func Jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// backoff grows from backoffFirst to backoffMax.
type backoff struct{ next time.Duration }

func (b *backoff) reset() { b.next = 0 }

func (b *backoff) pause(limit time.Duration) time.Duration {
	b.next = min(max(2*b.next, backoffFirst), limit)
	return Jitter(b.next)
}

// listen holds the subscription, again and again, until ctx ends.
func (s *session) listen(ctx context.Context) {
	var back backoff
	for ctx.Err() == nil {
		on := func() {
			back.reset()
			s.report(ctx, subscription{from: s.addr, on: true})
			s.once.Do(func() { close(s.ready) })
			s.poke()
		}
		told := func(ev event) { s.report(ctx, heard{from: s.addr, event: ev}) }
		err := subscribe(ctx, s.o, s.addr, on, told)
		if ctx.Err() != nil {
			break
		}
		forbidden := errors.Is(err, errForbidden)
		s.report(ctx, subscription{from: s.addr, forbidden: forbidden, why: plain(err)})
		s.once.Do(func() { close(s.ready) })
		if forbidden {
			sleep(ctx, Jitter(forbiddenPause))
		} else {
			sleep(ctx, back.pause(s.limit()))
		}
	}
	s.once.Do(func() { close(s.ready) })
}

// limit is the longest pause between two attempts to connect.
func (s *session) limit() time.Duration {
	if time.Duration(s.pace.Load()) < s.o.Poll {
		return backoffOdd
	}
	return backoffMax
}

// ask puts the questions until ctx ends: at once when woken, else at its pace.
func (s *session) ask(ctx context.Context) {
	select { // subscribe first, then ask
	case <-s.ready:
	case <-ctx.Done():
		return
	}
	var back backoff
	for ctx.Err() == nil {
		err := s.converse(ctx, &back)
		if ctx.Err() != nil {
			return
		}
		s.report(ctx, failed{from: s.addr, why: plain(err)})
		sleep(ctx, back.pause(s.limit()))
	}
}

// converse asks over one connection until that fails, and returns why.
func (s *session) converse(ctx context.Context, back *backoff) error {
	a := newAsker(ctx, s.o, s.addr)
	defer a.close()
	var peersAt time.Time
	refused := false
	var replicas replicaTimes
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.wake:
		case <-s.hurry:
			timer.Reset(Jitter(time.Duration(s.pace.Load())))
			continue
		case <-ctx.Done():
			return ctx.Err()
		}
		ans, asked, err := a.ask(ctx)
		if err != nil {
			return err
		}
		back.reset()
		s.report(ctx, answered{from: s.addr, asked: asked, runid: a.runid, answer: ans})
		if !s.learned && !refused && ans.known && !time.Now().Before(peersAt) {
			var peers []peer
			if peers, refused, err = a.peers(ctx); err != nil {
				return err
			}
			s.report(ctx, listed{from: s.addr, peers: peers})
			peersAt = time.Now().Add(Jitter(peersEvery))
		}
		if !s.learned && ans.known && replicas.due(ans.addr) {
			if err := s.askReplicas(ctx, a, &replicas); err != nil {
				return err
			}
		}
		timer.Reset(Jitter(time.Duration(s.pace.Load())))
	}
}
