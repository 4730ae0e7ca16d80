package drill

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"steadis/test/workload"
)

// What a histogram of waits can tell apart: 1 us to an hour, to 3 digits.
const (
	shortestWait = int64(time.Microsecond)
	longestWait  = int64(time.Hour)
	waitDigits   = 3
)

// waits gathers waits for their percentiles; the longest one is kept exactly.
type waits struct {
	histogram *hdrhistogram.Histogram
	longest   time.Duration
}

func newWaits() *waits {
	return &waits{histogram: hdrhistogram.New(shortestWait, longestWait, waitDigits)}
}

// add takes a wait; one beyond an hour counts as an hour.
func (w *waits) add(wait time.Duration) {
	// The value is within the histogram's limits, so there is no error.
	_ = w.histogram.RecordValue(min(max(int64(wait), shortestWait), longestWait))
	w.longest = max(w.longest, wait)
}

func (w *waits) reset() {
	w.histogram.Reset()
	w.longest = 0
}

// percentile is in milliseconds, 0 if there is no wait.
func (w *waits) percentile(percent float64) float64 {
	if w.histogram.TotalCount() == 0 {
		return 0
	}
	return millis(min(time.Duration(w.histogram.ValueAtQuantile(percent)), w.longest))
}

// millis gives d in milliseconds, to the microsecond, as reports have it.
func millis(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}

// latencies sums up the answered ones of some operations in each part of a round.
// zero is what the report's times are relative to. It is pure.
func (w windows) latencies(ops [][]workload.Op, zero time.Duration) LatencyTrio {
	return LatencyTrio{w.latencyOf(ops, w.before, zero), w.latencyOf(ops, w.during, zero), w.latencyOf(ops, w.after, zero)}
}

func (w windows) latencyOf(ops [][]workload.Op, s span, zero time.Duration) Latency {
	all := newWaits()
	for _, list := range ops {
		for _, op := range list {
			if op.Outcome != workload.Unknown && w.of(op.Sent, op.Sent+op.Wait) == s {
				all.add(op.Wait)
			}
		}
	}
	return Latency{FromMS: millis(s.from - zero), ToMS: millis(s.to - zero), Answered: int(all.histogram.TotalCount()),
		P50MS: all.percentile(50), P99MS: all.percentile(99), P999MS: all.percentile(99.9), MaxMS: millis(all.longest)}
}

// bucketWidth is the resolution of the charts.
const bucketWidth = 100 * time.Millisecond

// bucketsOf divides a load into buckets of 100 ms. Replies are counted when they came,
// waits by when the write was sent. It is pure.
func bucketsOf(writes, reads [][]workload.Op, length, zero time.Duration) []Bucket {
	n := int((length + bucketWidth - 1) / bucketWidth)
	buckets := make([]Bucket, n)
	sent := make([][]time.Duration, n)
	place := func(t time.Duration) int { return min(max(int(t/bucketWidth), 0), n-1) }
	if n == 0 {
		return buckets
	}
	for _, list := range writes {
		for _, op := range list {
			b := &buckets[place(op.Sent+op.Wait)]
			switch op.Outcome {
			case workload.Acknowledged:
				b.Acknowledged++
			case workload.InDoubt:
				b.InDoubt++
			case workload.Refused:
				b.Errors++
			case workload.Unknown:
				b.Unanswered++
				continue
			}
			at := place(op.Sent)
			sent[at] = append(sent[at], op.Wait)
		}
	}
	for _, list := range reads {
		for _, op := range list {
			if op.Outcome == workload.Acknowledged {
				buckets[place(op.Sent+op.Wait)].Reads++
			}
		}
	}
	one := newWaits()
	for i := range buckets {
		b := &buckets[i]
		b.AtMS = millis(time.Duration(i)*bucketWidth - zero)
		one.reset()
		for _, wait := range sent[i] {
			one.add(wait)
		}
		b.Sent, b.P50MS, b.P99MS, b.MaxMS = len(sent[i]), one.percentile(50), one.percentile(99), millis(one.longest)
	}
	return buckets
}
