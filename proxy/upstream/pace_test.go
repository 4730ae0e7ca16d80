package upstream

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	for _, tt := range []struct {
		rate, dials int
		least, most time.Duration // that they take in all
	}{
		{0, 10_000, 0, 0},
		{1000, 20, 0, 0}, // what the burst makes up for
		{1000, 1020, 999 * time.Millisecond, time.Second},
		{100, 102, time.Second - 10*time.Millisecond, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, began := newPace(tt.rate), time.Now()
			for range tt.dials {
				if err := p.await(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(began); took < tt.least || took > tt.most {
				t.Errorf("%d dials at %d a second took %v, want %v to %v", tt.dials, tt.rate, took, tt.least, tt.most)
			}
		})
	}
}

// A gate that moves calls off who waits, and their places are free.
func TestPaceReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 2)
		for range 2 {
			go func() { over <- p.await(ctx) }()
		}
		synctest.Wait()
		cancel()
		p.reset()
		first, second := <-over, <-over
		if first != nil && second != nil || first == nil && second == nil {
			t.Errorf("%v, %v; want one that waited and was called off", first, second)
		}
		began := time.Now()
		if err := p.await(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v, want a place at once", err, time.Since(began))
		}
	})
}
