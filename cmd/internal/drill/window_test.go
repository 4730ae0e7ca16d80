package drill

import (
	"testing"
	"time"

	"steadis/test/workload"
)

// ms makes moments of milliseconds.
func ms(values ...int) []time.Duration {
	moments := make([]time.Duration, len(values))
	for i, v := range values {
		moments[i] = time.Duration(v) * time.Millisecond
	}
	return moments
}

func between2(from, to int) span { return span{ms(from)[0], ms(to)[0]} }

func TestSilence(t *testing.T) {
	for _, tc := range []struct {
		name     string
		acks     []time.Duration
		from, to int
		want     span
	}{
		{"none at all", nil, 100, 500, between2(0, 500)},
		{"steady", ms(0, 50, 100, 150, 200, 250, 300), 110, 300, between2(100, 150)},
		{"a gap after the trigger", ms(0, 50, 100, 400, 450, 500), 110, 500, between2(100, 400)},
		{"a longer gap before the trigger does not count", ms(0, 300, 320, 400, 480, 500), 310, 500, between2(320, 400)},
		{"a gap that began before and lasts", ms(0, 90, 390, 400), 100, 400, between2(90, 390)},
		{"never back", ms(0, 50, 100), 110, 500, between2(100, 500)},
	} {
		if got := silence(tc.acks, ms(tc.from)[0], ms(tc.to)[0]); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestCut(t *testing.T) {
	quiet := between2(1000, 2200)
	for _, tc := range []struct {
		name               string
		trigger, switched  int
		wantDuring, wantTo int
	}{
		{"writes were back after the switch", 1000, 2100, 2200, 5000},
		{"the switch was announced later", 1000, 2500, 2500, 5000},
		{"no switch", 1000, 0, 5000, 5000},
		{"no trigger", 5000, 0, 5000, 5000},
	} {
		w := cut(5*time.Second, ms(tc.trigger)[0], ms(tc.switched)[0], quiet)
		want := windows{between2(0, tc.trigger), between2(tc.trigger, tc.wantDuring), between2(tc.wantDuring, tc.wantTo)}
		if w != want {
			t.Errorf("%s: %v, want %v", tc.name, w, want)
		}
	}
}

// What was under way when the master went is not held against the time before.
func TestPartOfARound(t *testing.T) {
	w := windows{between2(0, 1000), between2(1000, 2000), between2(2000, 3000)}
	for _, tc := range []struct {
		sent, done int
		want       span
	}{
		{500, 501, w.before}, {999, 1000, w.before}, {999, 2000, w.during}, {1000, 1001, w.during}, {1999, 2500, w.during}, {2000, 2001, w.after},
	} {
		if got := w.of(ms(tc.sent)[0], ms(tc.done)[0]); got != tc.want {
			t.Errorf("%d to %d is of %v, want %v", tc.sent, tc.done, got, tc.want)
		}
	}
}

func op(sent, wait int, outcome workload.Outcome) workload.Op {
	return workload.Op{Sent: ms(sent)[0], Wait: ms(wait)[0], Outcome: outcome}
}

func TestBuckets(t *testing.T) {
	writes := [][]workload.Op{{
		op(10, 5, workload.Acknowledged), op(20, 10, workload.Acknowledged), op(50, 300, workload.Acknowledged),
		op(120, 1, workload.InDoubt), op(130, 1, workload.Refused), op(140, 200, workload.Unknown),
	}}
	reads := [][]workload.Op{{op(0, 1, workload.Acknowledged), op(5, 1, workload.Refused), op(399, 100, workload.Acknowledged)}}
	got := bucketsOf(writes, reads, ms(420)[0], ms(100)[0])
	if len(got) != 5 {
		t.Fatalf("%d buckets of 420 ms", len(got))
	}
	// Replies count when they came, waits by when the write was sent.
	want := []Bucket{
		{AtMS: -100, Acknowledged: 2, Reads: 1, Sent: 3},
		{AtMS: 0, InDoubt: 1, Errors: 1, Sent: 2},
		{AtMS: 100},
		{AtMS: 200, Acknowledged: 1, Unanswered: 1},
		{AtMS: 300, Reads: 1},
	}
	for i := range want {
		g := got[i]
		g.P50MS, g.P99MS, g.MaxMS = 0, 0, 0
		if g != want[i] {
			t.Errorf("bucket %d: %+v, want %+v", i, g, want[i])
		}
	}
	if b := got[0]; b.P50MS < 9.9 || b.P50MS > 10.1 || b.MaxMS < 299 || b.MaxMS > 301 {
		t.Errorf("waits of the first bucket: %+v", b)
	}
	if empty := bucketsOf(nil, nil, 0, 0); len(empty) != 0 {
		t.Errorf("a load of no time has %d buckets", len(empty))
	}
}

func TestLatencies(t *testing.T) {
	w := windows{between2(0, 1000), between2(1000, 2000), between2(2000, 3000)}
	var list []workload.Op
	for i := range 1000 {
		list = append(list, op(i/2, 1+i/10, workload.Acknowledged))
	}
	list = append(list, op(1500, 400, workload.InDoubt), op(1600, 9000, workload.Unknown))
	got := w.latencies([][]workload.Op{list}, ms(1000)[0])
	if b := got.Before; b.Answered != 1000 || b.FromMS != -1000 || b.ToMS != 0 || b.P50MS < 49 || b.P50MS > 51 || b.P99MS < 98 || b.P99MS > 100 || b.P999MS < b.P99MS || b.MaxMS < 99 {
		t.Errorf("before: %+v", b)
	}
	if d := got.During; d.Answered != 1 || d.MaxMS < 399 || d.MaxMS > 401 {
		t.Errorf("during: %+v, want the one answered", d)
	}
	if (got.After != Latency{FromMS: 1000, ToMS: 2000}) {
		t.Errorf("after: %+v, want nothing", got.After)
	}
}
