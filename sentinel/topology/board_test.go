package topology

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestANewBoardIsUnknown(t *testing.T) {
	v := NewBoard().Load()
	if v == nil || v.Phase != Unknown || v.Master != "" || v.Generation != 0 || v.Reason == "" || v.Since.IsZero() {
		t.Errorf("%+v", v)
	}
}

func TestPhasesHaveWords(t *testing.T) {
	for p, want := range map[Phase]string{Unknown: "unknown", Serving: "serving", Holding: "holding", Phase(9): "unknown"} {
		if p.String() != want {
			t.Errorf("%d is %q, want %q", p, p.String(), want)
		}
	}
}

func TestPublishKeepsACopy(t *testing.T) {
	b := NewBoard()
	v := View{Master: "a:1", Phase: Serving, Generation: 1}
	b.Publish(v)
	v.Master = "b:1"
	if got := b.Load().Master; got != "a:1" {
		t.Error(got)
	}
}

func TestAwaitReturnsAtOnceForAnOldView(t *testing.T) {
	b := NewBoard()
	old := b.Load()
	b.Publish(View{Generation: 1})
	b.Publish(View{Generation: 2})
	v, err := b.Await(t.Context(), old)
	if err != nil || v.Generation != 2 {
		t.Errorf("%+v %v", v, err)
	}
	select {
	case <-b.Replaced(old):
	default:
		t.Error("an old view is not replaced")
	}
	select {
	case <-b.Replaced(b.Load()):
		t.Error("the current view is replaced")
	default:
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b := NewBoard()
		if v, err := b.Await(ctx, b.Load()); v != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v %v", v, err)
		}
	})
}

func TestPublishWakesEverybodyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBoard()
		seen := b.Load()
		var wg sync.WaitGroup
		var mu sync.Mutex
		woken := map[uint64]int{}
		for range 100 {
			wg.Go(func() {
				v, err := b.Await(t.Context(), seen)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				woken[v.Generation]++
			})
		}
		synctest.Wait()
		b.Publish(View{Generation: 1, Phase: Serving})
		wg.Wait()
		if woken[1] != 100 {
			t.Errorf("%v", woken)
		}
	})
}

// A reader that goes from view to view misses no last one, however fast they come.
func TestNoWakeUpIsLost(t *testing.T) {
	const last = 20000
	b := NewBoard()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			before := uint64(0)
			for v := b.Load(); v.Generation != last; {
				var err error
				if v, err = b.Await(t.Context(), v); err != nil {
					t.Error(err)
					return
				}
				if v.Generation < before {
					t.Errorf("%d after %d", v.Generation, before)
					return
				}
				before = v.Generation
			}
		})
	}
	for g := uint64(1); g <= last; g++ {
		b.Publish(View{Generation: g})
	}
	wg.Wait()
}

func TestDoubtNeverBlocksAndKeepsTheFirst(t *testing.T) {
	b := NewBoard()
	b.Doubt(1, "refused")
	b.Doubt(2, "READONLY") // dropped: one is enough
	if d := <-b.Doubts(); d != (Doubt{1, "refused"}) {
		t.Errorf("%+v", d)
	}
	select {
	case d := <-b.Doubts():
		t.Errorf("%+v", d)
	default:
	}
	b.Doubt(3, "no answer")
	if d := <-b.Doubts(); d.Generation != 3 {
		t.Errorf("%+v", d)
	}
}

func BenchmarkLoad(bench *testing.B) {
	b := NewBoard()
	for bench.Loop() {
		b.Load()
	}
}
