package proxy

import (
	"testing"
	"time"
)

func TestLatencyBounds(t *testing.T) {
	if first, last := latencyBounds[0], latencyBounds[latencyBuckets-1]; first != 10*time.Microsecond || last != 100*time.Second {
		t.Errorf("from %v to %v", first, last)
	}
	for i := 1; i < latencyBuckets; i++ {
		if ratio := float64(latencyBounds[i]) / float64(latencyBounds[i-1]); ratio < 1.2 || ratio > 1.3 {
			t.Errorf("bound %d is %v after %v", i, latencyBounds[i], latencyBounds[i-1])
		}
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	if c := h.counts(); c.quantile(.5) != 0 || c.total() != 0 {
		t.Errorf("an empty one says %v", c.quantile(.5))
	}
	before := h.counts()
	for ms := 1; ms <= 100; ms++ {
		h.add(time.Duration(ms) * time.Millisecond)
	}
	h.add(time.Hour)
	h.add(-1) // clocks
	c := h.counts().since(before)
	if c.total() != 102 {
		t.Errorf("%d", c.total())
	}
	for q, want := range map[float64]time.Duration{.5: 50 * time.Millisecond, .95: 95 * time.Millisecond, 1: 100 * time.Second} {
		got := c.quantile(q)
		if diff := float64(got-want) / float64(want); diff < -.06 || diff > .06 {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
	if shown := c.cumulative(); shown[.1] != 101 || shown[.01] != 11 || shown[100] != 101 || len(shown) != 22 {
		t.Errorf("%v", shown)
	}
	if h.takeLongest() != time.Hour || h.takeLongest() != 0 {
		t.Error("the longest")
	}
	if n := testing.AllocsPerRun(100, func() { h.add(time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHistogram(b *testing.B) {
	var h histogram
	started := time.Now()
	for b.Loop() {
		h.add(time.Since(started) & 0xfffff)
	}
}
