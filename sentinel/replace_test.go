package sentinel

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"steadis/sentinel/topology"
	"steadis/test/fake"
)

// failovers counts how often a Sentinel was asked for SENTINEL FAILOVER.
func failovers(s *fake.Sentinel) (n int) {
	for _, call := range s.Calls() {
		if len(call.Args) > 1 && strings.EqualFold(call.Args[1], "FAILOVER") {
			n++
		}
	}
	return n
}

// replace has the master of generation 1 replaced, in a goroutine.
func (b *bench) replace(within time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		done <- b.watcher.Replace(ctx, 1, "it has restarted without its data")
	}()
	return done
}

// succeed makes node 1 the master that a majority announces.
func (b *bench) succeed() {
	b.promote(1)
	b.announce(1, 1, 1)
	b.announce(2, 1, 1)
}

// TestReplace: the first Sentinel is frozen, the second refuses, the third does it.
func TestReplace(t *testing.T) {
	for _, tt := range []struct {
		name        string
		known, took time.Duration
	}{{"which is known", 3 * time.Second, 0}, {"which is not known yet", 0, appointFirst}} {
		t.Run(tt.name, func(t *testing.T) { testReplace(t, tt.known, tt.took) })
	}
}

func testReplace(t *testing.T, known, took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		b.pass(time.Second)
		b.sentinels[0].Freeze()
		defer func() { b.sentinels[0].Thaw(); b.pass(time.Second) }() // go-redis takes a lock to connect
		b.pass(known)
		b.sentinels[1].RefuseFailover("NOGOODSLAVE No suitable replica to promote")
		done := b.replace(10 * time.Second)
		b.pass(took)
		b.expect(topology.Holding, nodeAddr(0), 0, 1)
		if v := b.board.Load(); v.Reason != "it has restarted without its data" || !v.Planned {
			t.Errorf("%+v", v)
		}
		if failovers(b.sentinels[1]) != 1 || failovers(b.sentinels[2]) != 1 {
			t.Errorf("asked %d and %d times in %v", failovers(b.sentinels[1]), failovers(b.sentinels[2]), took)
		}
		b.succeed()
		if err := <-done; err != nil {
			t.Error(err)
		}
		b.expect(topology.Serving, nodeAddr(1), 1, 2)
		if err := b.watcher.Replace(t.Context(), 1, "late"); err != nil {
			t.Errorf("of a master that is followed no more: %v", err)
		}
		b.expect(topology.Serving, nodeAddr(1), 1, 2)
	})
}

// TestReplaceInProgress: another steadis was faster.
func TestReplaceInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		b.pass(time.Second)
		b.sentinels[0].RefuseFailover("INPROG Failover already in progress")
		done := b.replace(10 * time.Second)
		synctest.Wait()
		if n := failovers(b.sentinels[1]) + failovers(b.sentinels[2]); n > 0 {
			t.Errorf("others were asked %d times", n)
		}
		b.begin()
		b.pass(200 * time.Millisecond)
		b.succeed()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestReplaceByAFailoverThatHasBegun: nobody needs to be asked.
func TestReplaceByAFailoverThatHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		b.pass(time.Second)
		b.begin()
		synctest.Wait()
		done := b.replace(10 * time.Second)
		b.pass(200 * time.Millisecond)
		b.succeed()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, s := range b.sentinels {
			if n := failovers(s); n > 0 {
				t.Errorf("a Sentinel was asked %d times", n)
			}
		}
	})
}

// TestReplaceRefused: nobody does it, or it comes to nothing; commands go on with the old master.
func TestReplaceRefused(t *testing.T) {
	for _, tt := range []struct {
		name, refusal, want string
		kind                error
		within              time.Duration
	}{
		{"refused", "NOGOODSLAVE No suitable replica to promote", "asked Sentinel 10.0.1.3:26379: NOGOODSLAVE", ErrNotBegun, 10 * time.Second},
		{"nothing comes of it", "", "after SENTINEL FAILOVER at 10.0.1.1:26379", ErrGivenUp, 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				defer b.stop()
				b.pass(time.Second)
				for _, s := range b.sentinels {
					s.RefuseFailover(tt.refusal)
				}
				if err := <-b.replace(tt.within); !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v, want %v: %s", err, tt.kind, tt.want)
				}
				b.pass(time.Second)
				b.expect(topology.Serving, nodeAddr(0), 0, 1)
			})
		})
	}
}

// TestReplaceAgain: the master is stopped, so that it does not tell its ROLE and the hold of the
// first attempt stands. The second one asks all the same.
func TestReplaceAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		b.pass(time.Second)
		b.nodes[0].Freeze()
		for _, s := range b.sentinels {
			s.RefuseFailover("NOGOODSLAVE No suitable replica to promote")
		}
		if err := <-b.replace(10 * time.Second); !errors.Is(err, ErrNotBegun) {
			t.Error(err)
		}
		b.pass(time.Second)
		b.expect(topology.Holding, nodeAddr(0), 0, 1)
		b.sentinels[0].RefuseFailover("")
		asked := failovers(b.sentinels[0])
		done := b.replace(9 * time.Second)
		b.pass(0)
		if n := failovers(b.sentinels[0]) - asked; n != 1 {
			t.Errorf("asked %d times for it again", n)
		}
		b.succeed()
		if err := <-done; err != nil {
			t.Error(err)
		}
		b.expect(topology.Serving, nodeAddr(1), 1, 2)
		b.nodes[0].Thaw()
	})
}
