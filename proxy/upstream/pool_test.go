package upstream

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"steadis/test/fake"
)

func TestPinReusesWhatUnpinGaveBack(t *testing.T) {
	inRig(t, Options{}, nil, func(t *testing.T, r *rig) {
		r.pool.Open("a:1", 1, 0)
		l := r.pool.Pin(nobody, r.waiter("1"))
		c := r.connected(l)
		r.pool.Unpin(l)
		if r.pool.Pin(Identity{DB: 1}, r.waiter("other")) == l {
			t.Error("a link of another identity")
		}
		again := r.pool.Pin(nobody, r.waiter("2"))
		if again != l || again.Conn() != c || again.owner.(*waiter).name != "2" {
			t.Error("an idle link was not used again")
		}
		r.a.HoldReplies()
		again.Send(r.ping("busy"))
		synctest.Wait()
		r.pool.Unpin(again) // not clean
		r.want(t, "busy in_doubt")
		r.await(again, "2", Gone)
		r.a.ReleaseReplies()

		idle := r.pool.Pin(nobody, r.waiter("3"))
		r.connected(idle)
		r.pool.Unpin(idle)
		r.a.Disconnect()
		r.wantOnly(t, "trouble 1") // of each spare too
		if r.pool.Pin(nobody, r.waiter("4")) == idle {
			t.Error("a link whose connection is gone was kept")
		}
		var many []*Link
		for range idlePinned + 3 {
			many = append(many, r.pool.Pin(nobody, r.waiter("m")))
			r.connected(many[len(many)-1])
		}
		for _, l := range many {
			r.pool.Unpin(l)
		}
		if n := len(r.pool.idle[nobody]); n != idlePinned {
			t.Errorf("%d idle links", n)
		}
	})
}

func TestReapClosesWhatNobodyUses(t *testing.T) {
	inRig(t, Options{Connections: 2}, nil, func(t *testing.T, r *rig) {
		r.pool.Open("a:1", 1, 0)
		used, unused := r.pool.Shared(nobody, 0), r.pool.Shared(nobody, 1)
		if used == unused || r.pool.Shared(nobody, 2) != used {
			t.Error("clients do not spread over two links")
		}
		r.connected(used)
		c := r.connected(unused)
		r.pool.Release(unused)
		time.Sleep(linger)
		r.pool.Reap(time.Now())
		if !c.usable() {
			t.Error("too early")
		}
		time.Sleep(time.Second)
		r.pool.Reap(time.Now())
		r.await(unused, "x", Gone)
		if c.usable() || !used.Conn().usable() || r.pool.Shared(nobody, 1) == unused {
			t.Error("the wrong one was closed")
		}
	})
}

func TestBackoffIsBounded(t *testing.T) {
	for n, want := range map[int]time.Duration{0: 10, 1: 20, 3: 80, 5: 250, 100: 250, 1 << 40: 250} {
		for range 100 {
			if d := Backoff(n); d < want*time.Millisecond || d > want*time.Millisecond*3/2 {
				t.Fatalf("Backoff(%d) = %v", n, d)
			}
		}
	}
}

func TestDialJudgesTheNode(t *testing.T) {
	for _, tt := range []struct {
		name  string
		id    Identity
		setup func(r *rig)
		want  error  // nil: see text
		text  string // of the error; empty: none
		reply bool   // the error is a Rejected
	}{
		{name: "good"},
		{name: "resp3", id: Identity{Protocol: 3, DB: 3}},
		{name: "user", id: Identity{User: "u", Password: "p", Auth: true}, setup: func(r *rig) { r.a.Require("u", "p") }},
		{name: "user resp3", id: Identity{User: "u", Password: "p", Auth: true, Protocol: 3}, setup: func(r *rig) { r.a.Require("u", "p") }},
		{name: "no password given", setup: func(r *rig) { r.a.Require("u", "p") }},
		{name: "wrong", id: Identity{User: "u", Password: "x", Auth: true}, setup: func(r *rig) { r.a.Require("u", "p") }, text: "WRONGPASS", reply: true},
		{name: "wrong resp3", id: Identity{User: "u", Password: "x", Auth: true, Protocol: 3}, setup: func(r *rig) { r.a.Require("u", "p") }, text: "WRONGPASS", reply: true},
		{name: "none needed", id: Identity{Password: "x", Auth: true}, text: "without any password", reply: true},
		{name: "database", id: Identity{DB: 99}, text: "out of range", reply: true},
		{name: "old", id: Identity{Protocol: 3}, setup: func(r *rig) { r.a.NoHello() }, text: "unknown command", reply: true},
		{name: "replica", setup: func(r *rig) { r.a.BecomeReplica("b:1") }, want: ErrNotMaster},
		{name: "loading", setup: func(r *rig) { r.a.Loading(true) }, want: ErrLoading},
		{name: "full", id: Identity{DB: 1}, setup: func(r *rig) {
			r.a.On(func(fake.Call) string { return "-ERR max number of clients reached\r\n" })
		}, text: "max number of clients"},
		{name: "hangs up", setup: func(r *rig) { r.a.On(func(fake.Call) string { return fake.CloseNow }) }, text: "no answer to ROLE"},
		{name: "silent", setup: func(r *rig) { r.a.Freeze() }, text: "no answer to ROLE"},
		{name: "talks too much", setup: func(r *rig) {
			r.a.On(func(c fake.Call) string {
				if c.Args[0] == "PING" {
					return "+PONG\r\n+PONG\r\n"
				}
				return ""
			})
		}, want: errUnasked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inRig(t, Options{}, nil, func(t *testing.T, r *rig) {
				if tt.setup != nil {
					tt.setup(r)
				}
				gate := r.pool.newGate(Gate{Addr: "a:1", Open: true})
				g, err := r.pool.dial(gate, tt.id, false)
				if err == nil {
					g.nc.Close()
				}
				var rejected *Rejected
				switch {
				case tt.want != nil && !errors.Is(err, tt.want),
					tt.want == nil && (err == nil) != (tt.text == ""),
					err != nil && !strings.Contains(err.Error(), tt.text),
					errors.As(err, &rejected) != tt.reply:
					t.Errorf("got %v", err)
				}
				r.a.Thaw()
			})
		})
	}
}

func TestPilot(t *testing.T) {
	inRig(t, Options{}, nil, func(t *testing.T, r *rig) {
		p, err := r.pool.NewPilot(t.Context(), "a:1", 3, nobody)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		ping := []byte("*1\r\n$4\r\nPING\r\n")
		if err := p.Ask(t.Context(), ping, ping); err != nil || p.Generation() != 3 {
			t.Error(err)
		}
		r.a.HoldReplies()
		go func() { synctest.Wait(); r.a.Disconnect() }()
		if err := p.Ask(t.Context(), ping); err == nil {
			t.Error("answered by nobody")
		}
		<-p.Gone()
		if p.Err() == nil {
			t.Error("ended for no reason")
		}
	})
}

// TestBecome: a connection that was made with a former identity is not taken for one
// of the new, whether it was there before Become or was being made.
func TestBecome(t *testing.T) {
	inRig(t, Options{}, nil, func(t *testing.T, r *rig) {
		r.pool.Open("a:1", 1, 0)
		one := Identity{DB: 1}
		l := r.pool.Pin(nobody, r.waiter("w"))
		r.connected(l)
		asked := l.Conn()
		l.Become(one, asked)
		if l.Conn() != asked || l.Identity() != one {
			t.Error("the connection on which the step was made is given up")
		}
		r.a.Disconnect()
		synctest.Wait()
		r.connected(l)
		if l.Conn() == asked {
			t.Fatal("the connection did not end")
		}
		two := Identity{DB: 2}
		l.Become(two, asked) // answered on a connection that is gone since
		synctest.Wait()
		if l.Conn() != nil {
			t.Error("a connection in database 1 is taken for one in database 2")
		}
		r.connected(l)
		r.pool.Unpin(l)
		if got := r.pool.Pin(two, r.waiter("x")); got != l {
			t.Error("the link does not lie idle under its identity")
		}
	})
}

// What was sent shortly before a question may have been written after it.
func TestHasRead(t *testing.T) {
	p := NewPool(Options{})
	now := time.Unix(1000, 0)
	if p.HasRead(now) {
		t.Error("nobody has answered yet")
	}
	p.Answered(now)
	for _, c := range []struct {
		sent time.Duration
		want bool
	}{{-time.Second, true}, {-writeDelay / 2, false}, {0, false}, {time.Second, false}} {
		if got := p.HasRead(now.Add(c.sent)); got != c.want {
			t.Errorf("sent %v from the question: %t, want %t", c.sent, got, c.want)
		}
	}
}
