package upstream

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// hustler is a client that wants one reply after the other, and counts what the
// link tells it.
type hustler struct {
	events chan Event // never full
	fates  chan struct{}
	fault  atomic.Pointer[string]
}

func (h *hustler) LinkEvent(_ *Link, e Event, _ []byte) {
	if e == Down {
		return // comes in addition, to an owner
	}
	select {
	case h.events <- e:
	default:
		h.fail("an event too many: %d", e)
	}
}
func (h *hustler) Push(*Link, []byte) Owner { return nil }

func (h *hustler) fail(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	h.fault.Store(&s)
}

// errand is a hustler's call.
type errand struct{ *hustler }

func (errand) AppendWire(dst []byte) []byte { return append(dst, "*1\r\n$4\r\nPING\r\n"...) }
func (errand) Frames() int                  { return 1 }
func (errand) ErrorEnds() bool              { return false }
func (errand) Trusted() bool                { return true }
func (errand) Stake() Stake                 { return 0 }
func (e errand) Reply([]byte, bool) Owner   { e.fates <- struct{}{}; return nil }
func (e errand) Lost(Fate) Owner            { e.fates <- struct{}{}; return nil }

// run sends calls, each after the last one's end, until the gate has come to rest
// (done), and a few more.
func (h *hustler) run(p *Pool, seed uint64, done *atomic.Bool) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	get := func() *Link {
		if seed%3 == 0 {
			return p.Pin(nobody, h)
		}
		return p.Shared(nobody, seed)
	}
	l := get()
	for n := 3; n > 0; {
		if l.Send([]Call{errand{h}}) == nil {
			<-h.fates
			if done.Load() {
				n--
			}
			time.Sleep(time.Duration(rnd.IntN(3000)) * time.Microsecond)
			continue
		}
		switch l.Await(h) {
		case Queued:
			<-h.events // a lost one is a deadlock, which synctest reports
		case Over:
			time.Sleep(time.Millisecond)
		case Gone:
			l = get()
		}
	}
}

// TestStressNobodyIsForgotten: while the gate moves, every waiter hears exactly
// one event.
func TestStressNobodyIsForgotten(t *testing.T) {
	for seed := range uint64(6) {
		o := Options{Connections: 2, Window: 50 * time.Millisecond, Trouble: func(uint64, error) {}}
		inRig(t, o, func(nc net.Conn) net.Conn { return lateEnd{nc} }, func(t *testing.T, r *rig) {
			var wg sync.WaitGroup
			var done atomic.Bool
			all := make([]*hustler, 30)
			for i := range all {
				h := &hustler{events: make(chan Event, 1), fates: make(chan struct{}, 1)}
				all[i] = h
				wg.Go(func() { h.run(r.pool, uint64(i), &done) })
			}
			afflict(r, seed)
			done.Store(true)
			wg.Wait()
			synctest.Wait()
			for i, h := range all {
				if f := h.fault.Load(); f != nil || len(h.events) > 0 {
					t.Errorf("seed %d, client %d: fault %v, %d events left", seed, i, f, len(h.events))
				}
			}
		})
	}
}

// afflict moves the gate at random, and leaves it open.
func afflict(r *rig, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	addrs := []string{"a:1", "b:1"}
	gen := uint64(1)
	for range 150 {
		switch rnd.IntN(6) {
		case 0:
			r.pool.Close()
		case 1, 2:
			r.pool.Open(addrs[gen%2], gen, 0)
		case 3:
			gen++
			if rnd.IntN(2) == 0 {
				r.pool.Close()
				r.pool.Retire(gen)
				time.Sleep(2 * time.Millisecond)
			}
			r.pool.Open(addrs[gen%2], gen, 0)
		case 4:
			r.pool.Close()
			r.pool.GiveUp()
		case 5:
			r.a.Disconnect()
			r.b.Disconnect()
		}
		r.pool.Alive(time.Now())
		time.Sleep(time.Duration(rnd.IntN(4000)) * time.Microsecond)
	}
	r.pool.Close()
	r.pool.Retire(gen + 1)
	time.Sleep(2 * time.Millisecond)
	r.pool.Open(addrs[gen%2], gen+1, 0)
	time.Sleep(time.Duration(rnd.IntN(4000)) * time.Microsecond)
	r.a.Disconnect()
	r.b.Disconnect()
	time.Sleep(10 * time.Millisecond)
}

// lateEnd is a connection whose reader hears of its end late, as a goroutine does
// that does not get to run.
type lateEnd struct{ net.Conn }

func (c lateEnd) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		time.Sleep(2 * time.Millisecond)
	}
	return n, err
}
