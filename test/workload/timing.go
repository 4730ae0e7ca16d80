package workload

import (
	"slices"
	"time"
)

// BucketWidth is the width of Timing.Buckets.
const BucketWidth = 100 * time.Millisecond

// Timing is how long commands waited. Commands without a reply do not count.
type Timing struct {
	// P50, P99 and P999 are percentiles of the time from sending to the reply.
	P50, P99, P999 time.Duration
	// LongestWait is the longest one, from WaitFrom to WaitTo.
	LongestWait      time.Duration
	WaitFrom, WaitTo time.Time
	// Buckets counts the acknowledgements in each 100 ms since the load began.
	Buckets []int
}

// timing looks at all answered commands. It sorts every wait, which is exact and
// quick enough for the millions that a test makes.
func (r *Record) timing() Timing {
	var t Timing
	var waits []time.Duration
	t.Buckets = make([]int, max(0, int(r.Ended.Sub(r.Began)/BucketWidth)+1))
	for _, w := range r.Writers {
		for _, op := range w.Ops {
			if op.Outcome == Unknown {
				continue
			}
			waits = append(waits, op.Wait)
			if op.Wait > t.LongestWait {
				t.LongestWait = op.Wait
				t.WaitFrom, t.WaitTo = r.Began.Add(op.Sent), r.Began.Add(op.Sent+op.Wait)
			}
			place := int((op.Sent + op.Wait) / BucketWidth)
			if op.Outcome == Acknowledged && place < len(t.Buckets) {
				t.Buckets[place]++
			}
		}
	}
	slices.Sort(waits)
	t.P50, t.P99, t.P999 = percentile(waits, 500), percentile(waits, 990), percentile(waits, 999)
	return t
}

// percentile gives the smallest value that at least permille of 1000 of sorted
// do not exceed; 0 if there are none.
func percentile(sorted []time.Duration, permille int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*permille + 999) / 1000
	return sorted[max(rank, 1)-1]
}

// Median is the middle one of some figures, for summing up rounds; 0 if there
// are none. It leaves values as it is.
func Median(values []time.Duration) time.Duration {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return percentile(sorted, 500)
}
