package drill

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The page's charts share one time axis, so that they can be read one above the
// other. Lengths are in units of the SVG's viewBox.
const (
	chartWidth = 1080.0
	plotLeft   = 118.0
	plotRight  = chartWidth - 16
)

// tick is a labelled place on an axis.
type tick struct {
	At    float64
	Label string
}

// timeAxis maps milliseconds, relative to the trigger, to x.
type timeAxis struct{ from, to float64 }

func (a timeAxis) x(ms float64) float64 {
	if a.to <= a.from {
		return plotLeft
	}
	return plotLeft + (plotRight-plotLeft)*(min(max(ms, a.from), a.to)-a.from)/(a.to-a.from)
}

// ticks gives full steps of time, about one in every 90 units.
func (a timeAxis) ticks() []tick {
	step := niceStep((a.to - a.from) / ((plotRight - plotLeft) / 90))
	var ticks []tick
	for ms := math.Ceil(a.from/step) * step; ms <= a.to; ms += step {
		label := strconv.FormatFloat(math.Round(ms)/1000, 'g', 5, 64) + " s"
		if ms > 0 {
			label = "+" + label
		}
		ticks = append(ticks, tick{a.x(ms), label})
	}
	return ticks
}

// niceStep gives the least of 1, 2, 5, 10, 20 ... that is not below least.
func niceStep(least float64) float64 {
	if least <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= least*0.9999 {
			return factor * power
		}
	}
	return 10 * power
}

// valueAxis maps values to y, in a plot from top down to bottom.
type valueAxis struct {
	top, bottom float64
	low, high   float64
	log         bool
}

func (a valueAxis) y(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		v, low, high = math.Log10(max(v, a.low)), math.Log10(a.low), math.Log10(a.high)
	}
	share := (min(max(v, low), high) - low) / (high - low)
	return a.bottom - (a.bottom-a.top)*share
}

// countAxis is linear from 0 to a round number not below most.
func countAxis(top, bottom, most float64) valueAxis {
	step := niceStep(max(most, 1) / 4)
	return valueAxis{top: top, bottom: bottom, high: step * math.Ceil(max(most, 1)/step*0.9999)}
}

// waitAxis is logarithmic over the decades of milliseconds from least to most.
func waitAxis(top, bottom, least, most float64) valueAxis {
	low := math.Pow(10, math.Floor(math.Log10(max(least, 0.01))))
	high := math.Pow(10, math.Ceil(math.Log10(max(most, low*10))))
	return valueAxis{top: top, bottom: bottom, low: low, high: high, log: true}
}

func (a valueAxis) ticks(label func(float64) string) []tick {
	var ticks []tick
	if a.log {
		for v := a.low; v <= a.high*1.0001; v *= 10 {
			ticks = append(ticks, tick{a.y(v), label(v)})
		}
		return ticks
	}
	step := niceStep(a.high / 4)
	for v := 0.0; v <= a.high*1.0001; v += step {
		ticks = append(ticks, tick{a.y(v), label(v)})
	}
	return ticks
}

// shortWait labels a wait: 0.1 ms, 10 ms, 1 s.
func shortWait(ms float64) string {
	if ms >= 1000 {
		return strconv.FormatFloat(ms/1000, 'g', 3, 64) + " s"
	}
	return strconv.FormatFloat(ms, 'g', 3, 64) + " ms"
}

func shortCount(v float64) string { return grouped(int(math.Round(v))) }

// point is a place in a chart; one that is no number breaks the line.
type point struct{ x, y float64 }

// linePath draws a line through points, broken where there is nothing. A point
// between two breaks is drawn as a line of no length, which round caps make a dot.
func linePath(points []point) string {
	var b strings.Builder
	is := func(i int) bool { return i >= 0 && i < len(points) && !math.IsNaN(points[i].y) }
	for i, p := range points {
		switch {
		case !is(i):
			continue
		case is(i - 1):
			fmt.Fprintf(&b, "L%.1f %.1f", p.x, p.y)
		default:
			fmt.Fprintf(&b, "M%.1f %.1f", p.x, p.y)
			if !is(i + 1) {
				b.WriteString("h0")
			}
		}
	}
	return b.String()
}

// areaPath fills what lies between points, none of which may be broken, and a floor.
func areaPath(points []point, floor float64) string {
	if len(points) == 0 {
		return ""
	}
	first, last := points[0], points[len(points)-1]
	return fmt.Sprintf("M%.1f %.1fL%s L%.1f %.1fZ", first.x, floor, linePath(points)[1:], last.x, floor)
}

// rows places labels of some widths, centred at xs in ascending order, into as few
// rows as needed so that none overlap, and gives each one's row.
func rows(xs, widths []float64) []int {
	var ends []float64
	placed := make([]int, len(xs))
	for i, x := range xs {
		row := 0
		for row < len(ends) && ends[row] > x-widths[i]/2 {
			row++
		}
		if row == len(ends) {
			ends = append(ends, 0)
		}
		ends[row] = x + widths[i]/2
		placed[i] = row
	}
	return placed
}
