package drill

import (
	"math"
	"strings"
	"testing"
)

func TestTimeAxis(t *testing.T) {
	a := timeAxis{-3000, 5000}
	if a.x(-3000) != plotLeft || a.x(5000) != plotRight || a.x(9000) != plotRight || a.x(-9000) != plotLeft {
		t.Error("the ends are not the plot's")
	}
	var labels []string
	for _, tick := range a.ticks() {
		labels = append(labels, tick.Label)
	}
	if got := strings.Join(labels, " "); got != "-3 s -2 s -1 s 0 s +1 s +2 s +3 s +4 s +5 s" {
		t.Error(got)
	}
	for _, long := range []timeAxis{{-500, 700}, {-60000, 3600000}, {0, 1}, {0, 0}} {
		if n := len(long.ticks()); n > 14 {
			t.Errorf("%v has %d ticks", long, n)
		}
	}
}

func TestValueAxes(t *testing.T) {
	c := countAxis(10, 110, 950)
	if c.high != 1000 || c.y(0) != 110 || c.y(1000) != 10 || c.y(5000) != 10 {
		t.Errorf("%+v", c)
	}
	w := waitAxis(0, 100, 0.2, 1200)
	if w.low != 0.1 || w.high != 10000 || math.Abs(w.y(0.1)-100) > 1e-9 || math.Abs(w.y(10000)) > 1e-9 || math.Abs(w.y(1)-80) > 1e-9 || w.y(0) != w.y(0.1) {
		t.Errorf("%+v %v", w, w.y(1))
	}
	if n := len(w.ticks(shortWait)); n != 6 {
		t.Errorf("%d decades", n)
	}
	for _, none := range []valueAxis{countAxis(0, 100, 0), waitAxis(0, 100, 0, 0)} {
		if y := none.y(0); math.IsNaN(y) || math.IsInf(y, 0) {
			t.Errorf("an axis of nothing: %+v", none)
		}
	}
}

func TestLinesBreakWhereThereIsNothing(t *testing.T) {
	gap := math.NaN()
	got := linePath([]point{{0, 1}, {1, 2}, {2, gap}, {3, 4}, {4, gap}, {5, 6}, {6, 7}})
	if want := "M0.0 1.0L1.0 2.0M3.0 4.0h0M5.0 6.0L6.0 7.0"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := areaPath([]point{{0, 1}, {1, 2}}, 9); got != "M0.0 9.0L0.0 1.0L1.0 2.0 L1.0 9.0Z" {
		t.Error(got)
	}
	if linePath(nil) != "" || areaPath(nil, 1) != "" {
		t.Error("something is drawn of nothing")
	}
}

func TestRowsDoNotOverlap(t *testing.T) {
	xs, widths := []float64{100, 110, 120, 300, 305}, []float64{80, 80, 80, 80, 80}
	got := rows(xs, widths)
	for i := range xs {
		for j := range i {
			if got[i] == got[j] && math.Abs(xs[i]-xs[j]) < 80 {
				t.Errorf("labels %d and %d share row %d", i, j, got[i])
			}
		}
	}
	if got[3] != 0 {
		t.Errorf("the first free row is not taken: %v", got)
	}
}

// All that waited is sent at once when service is back; that must not flatten the rest.
func TestPeak(t *testing.T) {
	steady := []Bucket{{Acknowledged: 100}, {Acknowledged: 101}, {Acknowledged: 99}, {}, {}, {}, {Acknowledged: 100}, {Acknowledged: 100}, {Acknowledged: 100}}
	if usual, _ := peakOf(steady); usual != 1010 {
		t.Errorf("a steady load: %v", usual)
	}
	usual, peak := peakOf(append(steady, Bucket{AtMS: 7, Acknowledged: 1500}))
	if usual != 3030 || peak.AtMS != 7 {
		t.Errorf("a peak: the axis ends at %v, the peak is %+v", usual, peak)
	}
	if usual, _ := peakOf(nil); usual != 0 {
		t.Errorf("nothing: %v", usual)
	}
}
