package hold

import (
	"math/rand/v2"
	"testing"
	"time"
)

var t0 = time.Unix(1000, 0)

func TestPhases(t *testing.T) {
	type step struct {
		do   func(b *Buffer) bool
		want bool
		then Phase
	}
	begin := func(at time.Duration) func(*Buffer) bool {
		return func(b *Buffer) bool { return b.Begin(t0.Add(at), "why") }
	}
	expire := func(at time.Duration) func(*Buffer) bool {
		return func(b *Buffer) bool { return b.Expire(t0.Add(at)) }
	}
	end := func(b *Buffer) bool { b.End(); return true }
	enter := func(b *Buffer) bool { return b.Enter(10) }
	release := func(b *Buffer) bool { b.Release(10); return true }
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"nothing waits", []step{{begin(0), true, Holding}, {end, true, Idle}}},
		{"one beginning", []step{{begin(0), true, Holding}, {begin(5 * time.Second), false, Holding},
			{expire(9 * time.Second), false, Holding}, {expire(10 * time.Second), true, Out}}},
		{"out until the end", []step{{begin(0), true, Holding}, {expire(time.Minute), true, Out},
			{begin(time.Minute), false, Out}, {expire(2 * time.Minute), false, Out}, {end, true, Idle}}},
		{"draining", []step{{begin(0), true, Holding}, {enter, true, Holding}, {enter, true, Holding},
			{end, true, Draining}, {release, true, Draining}, {release, true, Idle}}},
		{"again while draining", []step{{begin(0), true, Holding}, {enter, true, Holding}, {end, true, Draining},
			{begin(time.Second), true, Holding}, {expire(10 * time.Second), false, Holding}, {expire(11 * time.Second), true, Out}}},
		{"nothing to expire", []step{{expire(time.Hour), false, Idle}, {enter, true, Idle}, {release, true, Idle}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := New(Limits{Window: 10 * time.Second, Commands: 5, Bytes: 1000})
			for i, s := range tt.steps {
				if got := s.do(b); got != s.want {
					t.Errorf("step %d: %v, want %v", i, got, s.want)
				}
				if got := b.Outage().Phase; got != s.then {
					t.Errorf("step %d: phase %v, want %v", i, got, s.then)
				}
			}
		})
	}
}

// TestBounds: neither bound is ever exceeded, and the counters add up at every
// moment of a long random history.
func TestBounds(t *testing.T) {
	limits := Limits{Window: time.Second, Commands: 20, Bytes: 500}
	b := New(limits)
	rnd := rand.New(rand.NewPCG(7, 7))
	var waiting []int
	full := 0
	for range 50_000 {
		if n := 1 + rnd.IntN(60); rnd.IntN(2) == 0 {
			if b.Enter(n) {
				waiting = append(waiting, n)
			} else {
				full++
			}
		} else if len(waiting) > 0 {
			i := rnd.IntN(len(waiting))
			n, waiting[i] = waiting[i], waiting[len(waiting)-1]
			waiting = waiting[:len(waiting)-1]
			switch rnd.IntN(3) {
			case 0:
				b.Release(n)
			case 1:
				b.Drop(1, int64(n))
			default:
				b.Refuse(n, Refusals[rnd.IntN(len(Refusals))])
			}
		} else {
			b.RefuseAtOnce(Expired)
		}
		c := b.Counts()
		if !c.Balanced() || c.Waiting != len(waiting) || c.Waiting > limits.Commands || c.Bytes > limits.Bytes {
			t.Fatalf("%+v with %d waiting", c, len(waiting))
		}
	}
	if full == 0 {
		t.Error("the bounds were never met")
	}
}
