package drill

import (
	"fmt"
	"math"
	"slices"
)

// chart is a drawn chart, ready for the template.
type chart struct {
	ID, Title, Desc string
	Width, Height   float64
	// The plot's frame.
	Left, Right, Top, Bottom float64
	YTicks, XTicks           []tick
	YTitle                   string
	Window                   *box
	Marks                    []mark
	Series                   []series
	Lanes                    []lane
	Labels                   []label
	// Peak names what goes beyond the axis.
	Peak *label
}

// box is a rectangle.
type box struct{ X, Y, W, H float64 }

// mark is a vertical line at a moment, with a label above the plot where it has one.
type mark struct {
	X      float64
	Class  string
	Label  string
	LabelX float64
	LabelY float64
	Anchor string
}

// series is one line of a chart.
type series struct {
	Class, Name string
	Line, Area  string
}

// lane is one row of the chart of events.
type lane struct {
	Name, Sub string
	Y, H      float64
	Segments  []segment
	Dots      []dot
}

// segment is a stretch of time in a lane.
type segment struct {
	box
	Class, Text, Title string
}

// dot is a moment in a lane. Shape is the path of its mark.
type dot struct {
	Class, Title string
	Shape        string
	// X, Y is where it stands, Count how often, if that is told.
	X, Y  float64
	Count string
}

// label names an event, with a line down to its lane.
type label struct {
	X, Y, To, TextX float64
	Anchor, Text    string
}

// The heights of the charts' parts.
const (
	marksHeight      = 44.0 // above the first plot, for the names of the marks
	throughputHeight = 150.0
	latencyHeight    = 170.0
	axisHeight       = 26.0
	plotGap          = 10.0
)

func (r *Round) axis() timeAxis { return timeAxis{r.BeginMS, r.EndMS} }

// frame begins a chart with what all have: axis, window, marks.
func (r *Round) frame(name string, top, height float64, axisBelow bool) chart {
	a := r.axis()
	c := chart{
		ID: fmt.Sprintf("round-%d-%s", r.Number, name), Width: chartWidth, Left: plotLeft, Right: plotRight,
		Top: top, Bottom: top + height, Height: top + height + plotGap, XTicks: a.ticks(), Marks: r.marks(),
	}
	if axisBelow {
		c.Height = c.Bottom + axisHeight
	}
	if d := r.Writes.During; r.TriggeredAt != nil && d.ToMS > d.FromMS {
		c.Window = &box{X: a.x(d.FromMS), Y: top, W: a.x(d.ToMS) - a.x(d.FromMS), H: height}
	}
	return c
}

// marks gives the moments that matter, without names.
func (r *Round) marks() []mark {
	a := r.axis()
	var marks []mark
	if r.TriggeredAt != nil {
		marks = append(marks, mark{X: a.x(0), Class: "trigger", Label: "master " + goes[r.Kind]})
	}
	if r.SwitchedMS != nil {
		marks = append(marks, mark{X: a.x(*r.SwitchedMS), Class: "switched", Label: "new master announced, " + signed(*r.SwitchedMS)})
	}
	if r.ThawedMS != nil {
		marks = append(marks, mark{X: a.x(*r.ThawedMS), Class: "thawed", Label: "old master awake, " + signed(*r.ThawedMS)})
	}
	return marks
}

// goes says what became of the master at the trigger.
var goes = map[Kind]string{Failover: "told to hand over", Crash: "crashed", Freeze: "frozen"}

func signed(ms float64) string { return "+" + seconds(ms) }

// throughput draws what was answered in a second.
func (r *Round) throughput() chart {
	c := r.frame("throughput", marksHeight, throughputHeight, false)
	whole := r.wholeBuckets()
	usual, peak := peakOf(whole)
	y := countAxis(c.Top, c.Bottom, usual)
	c.YTitle, c.YTicks = "per second", y.ticks(shortCount)
	writes, reads := make([]point, len(whole)), make([]point, len(whole))
	for i, b := range whole {
		x := r.middle(b)
		writes[i], reads[i] = point{x, y.y(perSecond(b.Acknowledged))}, point{x, y.y(perSecond(b.Reads))}
	}
	if rate := perSecond(peak.Acknowledged); rate > y.high {
		x := r.middle(peak)
		c.Peak = &label{X: x, Y: c.Top + 14, TextX: min(x+9, plotRight-110), Text: "peak " + shortCount(rate) + "/s"}
	}
	c.Series = []series{
		{Class: "writes", Name: "acknowledged writes", Line: linePath(writes), Area: areaPath(writes, c.Bottom)},
		{Class: "reads", Name: "reads", Line: linePath(reads)},
	}
	c.Title = fmt.Sprintf("Round %d: throughput over time", r.Number)
	c.Desc = fmt.Sprintf("Acknowledged writes and reads in each second, in steps of 100 ms, from %s to %s around the trigger. The longest stretch without any acknowledged write is %s. The table of measured values below has the figures.",
		seconds(math.Abs(r.BeginMS))+" before", seconds(r.EndMS)+" after", seconds(r.Figures.LongestSilenceMS))
	placeMarks(c.Marks)
	return c
}

// wholeBuckets leaves out a last bucket that the end of the load has cut short.
func (r *Round) wholeBuckets() []Bucket {
	n := len(r.Buckets)
	if n > 1 && r.EndMS-r.Buckets[n-1].AtMS < 0.95*millis(bucketWidth) {
		n--
	}
	return r.Buckets[:n]
}

// peakOf gives the rate that the throughput's axis should reach, and the bucket with
// the most writes. In an open loop all that waited is sent at once when service is back;
// such a peak would flatten the rest, so the axis ends at a few times the usual rate.
func peakOf(buckets []Bucket) (usual float64, peak Bucket) {
	rates, most := make([]float64, len(buckets)), 0.0
	for i, b := range buckets {
		rates[i] = perSecond(b.Acknowledged)
		most = max(most, rates[i], perSecond(b.Reads))
		if b.Acknowledged > peak.Acknowledged {
			peak = b
		}
	}
	if len(rates) == 0 {
		return 0, peak
	}
	slices.Sort(rates)
	// Neither the silence, with rates of 0, nor the short peak reaches to four fifths.
	if bound := 3 * rates[len(rates)*4/5]; bound > 0 && most > bound {
		return bound, peak
	}
	return most, peak
}

// placeMarks puts the names of marks above the plot, in two rows if need be.
func placeMarks(marks []mark) {
	xs, widths := make([]float64, len(marks)), make([]float64, len(marks))
	for i, m := range marks {
		widths[i] = 1.15*textWidth(m.Label) + 16 // they are bold
		xs[i] = min(m.X+widths[i]/2, plotRight-widths[i]/2)
	}
	for i, row := range rows(xs, widths) {
		m := &marks[i]
		m.Anchor, m.LabelX, m.LabelY = "start", m.X+5, 12+16*float64(row)
		if m.X+widths[i] > plotRight {
			m.Anchor, m.LabelX = "end", m.X-5
		}
	}
}

// textWidth is about how wide a label is; browsers' fonts differ.
func textWidth(text string) float64 { return 6.3 * float64(len(text)) }

// latency draws what writes waited, by when they were sent.
func (r *Round) latency() chart {
	c := r.frame("latency", plotGap, latencyHeight, false)
	least, most := math.Inf(1), 0.0
	for _, b := range r.wholeBuckets() {
		if b.Sent > 0 {
			least, most = min(least, b.P50MS), max(most, b.MaxMS)
		}
	}
	if math.IsInf(least, 1) {
		least = 0.1
	}
	y := waitAxis(c.Top, c.Bottom, least, most)
	c.YTitle, c.YTicks = "wait of a write", y.ticks(shortWait)
	lines := [3][]point{}
	for _, b := range r.wholeBuckets() {
		for i, ms := range []float64{b.MaxMS, b.P99MS, b.P50MS} {
			p := point{r.middle(b), math.NaN()}
			if b.Sent > 0 {
				p.y = y.y(ms)
			}
			lines[i] = append(lines[i], p)
		}
	}
	for i, of := range []series{{Class: "max", Name: "longest"}, {Class: "p99", Name: "99th percentile"}, {Class: "p50", Name: "median"}} {
		of.Line = linePath(lines[i])
		c.Series = append(c.Series, of)
	}
	c.Title = fmt.Sprintf("Round %d: latency percentiles over time", r.Number)
	c.Desc = fmt.Sprintf("Median, 99th percentile and longest wait of the writes sent in each 100 ms, on a logarithmic scale. Before the trigger the 99th percentile is %s, during the failover the longest wait is %s, afterwards the 99th percentile is %s.",
		seconds(r.Writes.Before.P99MS), seconds(r.Writes.During.MaxMS), seconds(r.Writes.After.P99MS))
	return c
}

// middle is the x of a bucket.
func (r *Round) middle(b Bucket) float64 {
	return r.axis().x(b.AtMS + millis(bucketWidth)/2)
}

func perSecond(n int) float64 { return float64(n) * 1000 / millis(bucketWidth) }

// readout is the data that the page's script shows for the place of the pointer:
// milliseconds, writes and reads a second, median, 99th percentile, longest.
func (r *Round) readout() [][6]float64 {
	whole := r.wholeBuckets()
	values := make([][6]float64, len(whole))
	for i, b := range whole {
		values[i] = [6]float64{b.AtMS, perSecond(b.Acknowledged), perSecond(b.Reads), b.P50MS, b.P99MS, b.MaxMS}
	}
	return values
}
