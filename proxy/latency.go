package proxy

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// latencyBounds are the upper bounds of the histogram's buckets: ten a decade, from 10 us
// to 100 s. Those of latencyShown, three a decade, are shown to Prometheus.
var latencyBounds, latencyShown = makeLatencyBounds()

const latencyBuckets = 71

func makeLatencyBounds() (bounds [latencyBuckets]time.Duration, shown []int) {
	steps := [...]int64{100, 125, 160, 200, 250, 315, 400, 500, 630, 800}
	for i := range bounds {
		step := steps[i%len(steps)]
		bounds[i] = time.Duration(step*int64(math.Pow10(i/len(steps)))) * time.Microsecond / 10
		if step == 100 || step == 250 || step == 500 {
			shown = append(shown, i)
		}
	}
	return bounds, shown
}

// histogram counts latencies. It may be used concurrently and allocates nothing.
type histogram struct {
	buckets [latencyBuckets + 1]atomic.Uint64 // the last one: beyond all bounds
	nanos   atomic.Uint64                     // their sum
	longest atomic.Int64                      // since the last takeLongest
}

func (h *histogram) add(d time.Duration) {
	i, _ := slices.BinarySearch(latencyBounds[:], d)
	h.buckets[i].Add(1)
	h.nanos.Add(uint64(max(d, 0)))
	for old := h.longest.Load(); int64(d) > old && !h.longest.CompareAndSwap(old, int64(d)); {
		old = h.longest.Load()
	}
}

// latencyCounts is a histogram at one moment, or the difference of two.
type latencyCounts [latencyBuckets + 1]uint64

func (h *histogram) counts() latencyCounts {
	var c latencyCounts
	for i := range c {
		c[i] = h.buckets[i].Load()
	}
	return c
}

// takeLongest returns the longest latency since it was last called.
func (h *histogram) takeLongest() time.Duration { return time.Duration(h.longest.Swap(0)) }

// since returns what has been added to c since before.
func (c latencyCounts) since(before latencyCounts) latencyCounts {
	for i := range c {
		c[i] -= before[i]
	}
	return c
}

func (c latencyCounts) total() uint64 {
	sum := uint64(0)
	for _, n := range c {
		sum += n
	}
	return sum
}

// quantile returns the latency that the share q of all did not exceed, by interpolation
// within a bucket; 0 if there is none.
func (c latencyCounts) quantile(q float64) time.Duration {
	rank, seen := q*float64(c.total()), 0.0
	for i, n := range c {
		if n == 0 || seen+float64(n) < rank {
			seen += float64(n)
			continue
		}
		low, high := time.Duration(0), latencyBounds[min(i, latencyBuckets-1)]
		if i > 0 {
			low = latencyBounds[i-1]
		}
		return low + time.Duration(float64(high-low)*(rank-seen)/float64(n))
	}
	return 0
}

// cumulative returns the counts as Prometheus wants them, by bound in seconds.
func (c latencyCounts) cumulative() map[float64]uint64 {
	out, sum, next := make(map[float64]uint64, len(latencyShown)), uint64(0), 0
	for i := range latencyBounds {
		sum += c[i]
		if next < len(latencyShown) && latencyShown[next] == i {
			out[latencyBounds[i].Seconds()] = sum
			next++
		}
	}
	return out
}
