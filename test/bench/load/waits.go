package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// What a histogram of waits can tell apart: 1 us to 10 min, to 3 digits.
const (
	shortestWait = int64(time.Microsecond)
	longestWait  = int64(10 * time.Minute)
	waitDigits   = 3
)

// Waits are how long requests took.
type Waits struct{ histogram *hdrhistogram.Histogram }

func newWaits() Waits {
	return Waits{hdrhistogram.New(shortestWait, longestWait, waitDigits)}
}

// add notes n equal waits. Those beyond the histogram's limits count as the limit.
func (w Waits) add(wait time.Duration, n int) {
	// The value is within the limits, so there is no error.
	_ = w.histogram.RecordValues(min(max(int64(wait), shortestWait), longestWait), int64(n))
}

// Count is the number of waits.
func (w Waits) Count() int { return int(w.histogram.TotalCount()) }

// Percentile gives the wait that percent of 100 do not exceed, 0 if there is none.
func (w Waits) Percentile(percent float64) time.Duration {
	if w.histogram.TotalCount() == 0 {
		return 0
	}
	return time.Duration(w.histogram.ValueAtQuantile(percent))
}
