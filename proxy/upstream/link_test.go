package upstream

import (
	"errors"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"steadis/test/fake"
)

var nobody = Identity{}

func TestLinkServesWaitersInOrder(t *testing.T) {
	inRig(t, Options{}, nil, func(t *testing.T, r *rig) {
		l := r.pool.Shared(nobody, 0)
		for _, name := range []string{"1", "2", "3", "4"} {
			r.await(l, name, Queued)
		}
		gone := r.waiter("gone")
		l.Await(gone)
		l.Forget(gone)
		l.Forget(gone)
		r.pool.Open("a:1", 1, 0)
		r.want(t, "1 ready", "2 ready", "3 ready", "4 ready")
		r.await(l, "5", Usable)
		r.pool.Close()
		r.await(l, "6", Queued)
		r.pool.Open("a:1", 1, 0)
		r.want(t, "6 ready")
		if n := r.net.Dials("a:1"); n != 1 {
			t.Errorf("%d dials; a gate that opens again keeps its connections", n)
		}
		r.pool.Close()
		r.await(l, "7", Queued)
		r.pool.GiveUp()
		r.want(t, "7 expired")
		r.await(l, "8", Over)
		r.pool.Open("b:1", 2, 0)
		r.connected(l)
		l.Close()
		r.await(l, "9", Gone)
	})
}

func TestLinkMovesToTheNewMaster(t *testing.T) {
	inRig(t, Options{}, nil, func(t *testing.T, r *rig) {
		l := r.pool.Shared(nobody, 0)
		r.pool.Open("a:1", 1, 0)
		old := r.connected(l)
		r.a.HoldReplies()
		l.Send(r.ping("lost"))
		synctest.Wait()
		r.pool.Open("b:1", 2, 0)
		r.want(t, "lost in_doubt")
		if c := r.connected(l); c == old || c.Generation() != 2 || old.usable() {
			t.Error("the former master's connection is in use")
		}
	})
}

// TestLinkEveryWaiterHasTheWholeWindow: the time without a connection does not
// count, nor that of who came before.
func TestLinkEveryWaiterHasTheWholeWindow(t *testing.T) {
	o := Options{Window: 10 * time.Second, Trouble: func(uint64, error) {}}
	inRig(t, o, nil, func(t *testing.T, r *rig) {
		l := r.pool.Shared(nobody, 0)
		r.pool.Open("a:1", 1, 0)
		r.connected(l)
		r.a.Disconnect()
		r.a.Loading(true)
		time.Sleep(time.Hour)
		r.await(l, "1", Queued)
		time.Sleep(5 * time.Second)
		r.want(t)
		r.await(l, "2", Queued)
		time.Sleep(6 * time.Second)
		r.want(t, "1 expired")
		time.Sleep(5 * time.Second)
		r.want(t, "2 expired")
		r.await(l, "3", Queued)
		r.a.Loading(false)
		time.Sleep(time.Second)
		r.want(t, "3 ready")
	})
}

func TestLinkRefusedIdentity(t *testing.T) {
	inRig(t, Options{}, nil, func(t *testing.T, r *rig) {
		const wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
		r.b.Require("bob", "x")
		alice := Identity{User: "alice", Password: "secret", Auth: true}
		r.a.Require("alice", "secret")
		r.pool.Open("a:1", 1, 0)
		shared := r.pool.Shared(alice, 0)
		kept, queued, plain := r.pool.Pin(alice, r.waiter("kept")), r.pool.Pin(alice, r.waiter("queued")), r.pool.Pin(alice, r.waiter("plain"))
		for _, l := range []*Link{shared, kept, queued, plain} {
			r.connected(l)
		}
		kept.Keep()
		queued.Keep()
		if !r.pool.Known(alice) {
			t.Error("an accepted identity is not known")
		}
		r.pool.Close()
		queued.Await(queued.owner)
		r.pool.Open("b:1", 2, 0)
		synctest.Wait()
		heard := map[string]int{}
		for _, line := range r.lines {
			// These may come before, be of no interest any more, or be a spare's.
			if !strings.HasSuffix(line, " down") && line != "trouble 1" {
				heard[line]++
			}
		}
		if heard["kept refused"+wrong] != 1 || heard["queued refused"+wrong] != 1 || len(heard) != 2 {
			t.Errorf("%q", r.lines)
		}
		r.lines = nil
		r.await(kept, "kept", Gone)
		r.await(queued, "queued", Gone)
		r.await(shared, "shared", Gone)
		r.await(plain, "plain", Queued)
		r.want(t, "plain refused"+wrong)
		r.await(plain, "plain", Gone)
		if again := r.pool.Shared(alice, 0); again == shared || r.pool.Known(alice) {
			t.Error("a refused link is in use")
		}
	})
}

// TestLinkRefusalOfAFormerMaster does not count.
func TestLinkRefusalOfAFormerMaster(t *testing.T) {
	inRig(t, Options{}, nil, func(t *testing.T, r *rig) {
		r.pool.Open("a:1", 1, 0)
		gate := r.pool.Gate()
		l := r.pool.Shared(nobody, 0)
		r.pool.Open("b:1", 2, 0)
		if l.reject(&Rejected{Frame: []byte("-WRONGPASS\r\n")}, gate) {
			t.Error("the word of the former master closed the link")
		}
		r.connected(l)
	})
}

func TestLinkKeptOwnerIsToldOfExpiry(t *testing.T) {
	inRig(t, Options{}, nil, func(t *testing.T, r *rig) {
		l := r.pool.Pin(nobody, r.waiter("o"))
		l.Keep()
		r.pool.Open("a:1", 1, 0)
		r.want(t, "o ready")
		r.pool.Close()
		r.pool.GiveUp()
		synctest.Wait()
		slices.Sort(r.lines) // either may be first
		r.want(t, "o down", "o expired")
		r.pool.Open("b:1", 2, 0)
		r.want(t, "o ready")
		r.b.Disconnect()
		synctest.Wait()
		time.Sleep(time.Second)
		if l.Conn() == nil {
			t.Error("a kept link is down")
		}
	})
}

// TestPauseWaitsForAttach: a connection that is being attached when the gate
// shuts must not stay open.
func TestPauseWaitsForAttach(t *testing.T) {
	p := NewPool(Options{Timeout: time.Second, Window: time.Second})
	p.Open("nowhere:1", 1, 0)
	l := p.Shared(nobody, 0)
	near, far := fake.Pipe()
	defer far.Close()
	c := newConn(greeted{nc: near}, Origin{Generation: 1}, noPush, func(*Conn, error) {})
	l.mu.Lock() // as attach, which has seen the open gate
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() { p.Close(); done.Store(true) })
	for p.Gate().Open {
		runtime.Gosched()
	}
	for range 1000 {
		runtime.Gosched()
	}
	if done.Load() {
		t.Error("Close passed a link that was attaching a connection")
	}
	l.conn.Store(c)
	l.mu.Unlock()
	wg.Wait()
	if c.usable() {
		t.Error("a connection is open behind a shut gate")
	}
	c.Close()
	p.Stop()
}

func TestDialsToAFormerMasterEndWhenTheGateMoves(t *testing.T) {
	inRig(t, Options{}, nil, func(t *testing.T, r *rig) {
		r.net.Cut("a:1")
		r.pool.Open("a:1", 1, 0)
		for i := range uint64(2 * concurrentDials) { // more than may dial at once
			r.pool.Pin(Identity{DB: int(i % 16)}, r.waiter("o")).Await(&waiter{&record{}, ""})
		}
		l := r.pool.Shared(nobody, 0)
		r.await(l, "1", Queued)
		synctest.Wait()
		began := time.Now()
		r.pool.Close()
		r.pool.Open("b:1", 2, 0)
		r.want(t, "1 ready") // and no word of trouble
		if took := time.Since(began); took > 0 {
			t.Errorf("the link waited %v for a dial to the former master", took)
		}
	})
}

// hole drops what is written, as a firewall does that has lost a flow.
type hole struct {
	net.Conn
	on *atomic.Bool
}

func (h hole) Write(p []byte) (int, error) {
	if h.on.Load() {
		return len(p), nil
	}
	return h.Conn.Write(p)
}

func TestAliveEndsADeadSharedConnection(t *testing.T) {
	var on atomic.Bool
	var ended error
	o := Options{Stall: 2 * time.Second, Trouble: func(_ uint64, err error) { ended = err }}
	inRig(t, o, func(nc net.Conn) net.Conn { return hole{nc, &on} }, func(t *testing.T, r *rig) {
		r.pool.Open("a:1", 1, 0)
		shared, pinned := r.pool.Shared(nobody, 0), r.pool.Pin(nobody, r.waiter("o"))
		c, pc := r.connected(shared), r.connected(pinned)
		beat := func(n int) {
			for range n {
				time.Sleep(time.Second)
				r.pool.Alive(time.Now())
			}
		}
		beat(10) // idle
		if !c.usable() {
			t.Fatal("an idle connection was given up")
		}
		r.a.Delay(1500 * time.Millisecond)
		for range 5 { // slow
			shared.Send(r.ping("slow"))
			beat(2)
		}
		r.want(t, "slow=+PONG", "slow=+PONG", "slow=+PONG", "slow=+PONG", "slow=+PONG")
		r.a.Delay(0)
		on.Store(true)
		shared.Send(r.ping("x"))
		pinned.Send(r.ping("y"))
		beat(2)
		r.want(t)
		r.pool.Close() // the node itself stood still: the time counts anew
		r.pool.Open("a:1", 1, 0)
		beat(2)
		r.want(t)
		beat(1)
		r.want(t, "x in_doubt")
		if !errors.Is(ended, ErrStalled) || !pc.usable() {
			t.Error(ended, pc.usable())
		}
		on.Store(false)
		if r.connected(shared) == c {
			t.Error("the dead connection is in use")
		}
	})
	inRig(t, Options{}, nil, func(t *testing.T, r *rig) { // Stall 0: never
		r.pool.Open("a:1", 1, 0)
		l := r.pool.Shared(nobody, 0)
		r.connected(l)
		r.a.HoldReplies()
		l.Send(r.ping("x"))
		for range 100 {
			time.Sleep(time.Minute)
			r.pool.Alive(time.Now())
		}
		r.want(t)
	})
}

// TestLinkWaitersOfAnEndingConnectionGetTheNext: it takes nothing any more and the
// link does not know yet.
func TestLinkWaitersOfAnEndingConnectionGetTheNext(t *testing.T) {
	o := Options{Trouble: func(uint64, error) {}}
	inRig(t, o, func(nc net.Conn) net.Conn { return lateEnd{nc} }, func(t *testing.T, r *rig) {
		l := r.pool.Shared(nobody, 0)
		r.pool.Open("a:1", 1, 0)
		r.connected(l).Close()
		r.await(l, "1", Queued)
		r.pool.Close()
		r.pool.Open("a:1", 1, 0)
		r.want(t) // there is nothing to be ready with
		time.Sleep(time.Second)
		r.want(t, "1 ready")
	})
}
