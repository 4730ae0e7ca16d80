package drill

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// The measures of the chart of events.
const (
	laneHeight = 30.0
	laneGap    = 6.0
	labelRow   = 15.0
	labelRows  = 6 // at most
)

// eventClass sorts Sentinel's events for the eye.
func eventClass(name string) string {
	switch {
	case name == "+switch-master", name == "+promoted-slave", name == "+config-update-from":
		return "new"
	case strings.HasPrefix(name, "-failover-abort"), name == "+tilt", name == "+failover-end-for-timeout":
		return "abort"
	case name == "+sdown", name == "+odown":
		return "down"
	}
	return "step"
}

// shapes are the paths of the marks, so that colour is not all that tells them apart.
var shapes = map[string]string{
	"down":    "M%[1]g %[2]gm0 -6l6 6l-6 6l-6 -6Z",                         // diamond
	"step":    "M%[1]g %[2]gm-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0Z", // dot
	"new":     "M%[1]g %[2]gm0 -8l7.5 14h-15Z",                             // triangle
	"abort":   "M%[1]g %[2]gm-5 -5l10 10m0 -10l-10 10",                     // cross
	"doubt":   "M%[1]g %[2]gm-5 -5h10v10h-10Z",                             // square
	"error":   "M%[1]g %[2]gm-5 -5l10 10m0 -10l-10 10",
	"dropped": "M%[1]g %[2]gm-5 -5l10 10m0 -10l-10 10",
}

func shape(class string, x, y float64) string {
	return fmt.Sprintf(shapes[class], round1(x), round1(y))
}

func round1(v float64) float64 { return float64(int(v*10+0.5)) / 10 }

// lanes draws who did what when: steadis' phases, each Sentinel's events, what the
// clients saw besides acknowledgements.
func (r *Round) lanes() chart {
	labels, high := r.eventLabels()
	top := plotGap + labelRow*float64(high)
	var lanes []lane
	if len(r.Phases) > 0 {
		lanes = append(lanes, lane{Name: "steadis"})
	}
	sentinels := r.sentinels()
	for i, s := range sentinels {
		lanes = append(lanes, lane{Name: fmt.Sprintf("Sentinel %d", i+1), Sub: s})
	}
	lanes = append(lanes, lane{Name: "clients"})
	height := float64(len(lanes))*(laneHeight+laneGap) - laneGap
	c := r.frame("events", top, height, true)
	for i := range lanes {
		l := &lanes[i]
		l.Y, l.H = top+float64(i)*(laneHeight+laneGap), laneHeight
		switch {
		case l.Name == "steadis":
			l.Segments = r.segments(l.Y)
		case l.Name == "clients":
			l.Dots = r.clientDots(l.Y + laneHeight/2)
		default:
			l.Dots = r.eventDots(l.Sub, l.Y+laneHeight/2)
		}
	}
	c.Lanes = lanes
	for i := range labels {
		labels[i].Y += plotGap
		labels[i].To = top + r.laneOf(labels[i].Text, lanes)
	}
	c.Labels = labels
	c.Title = fmt.Sprintf("Round %d: events", r.Number)
	c.Desc = fmt.Sprintf("One row for steadis' phases, one for the events of each of %d Sentinels, and one for what clients saw besides acknowledgements: %d events, %d phases. The table of events below has them all.",
		len(sentinels), len(r.Events), len(r.Phases))
	return c
}

// sentinels lists those that said something, in order of their addresses.
func (r *Round) sentinels() []string {
	var all []string
	for _, e := range r.Events {
		if !slices.Contains(all, e.Sentinel) {
			all = append(all, e.Sentinel)
		}
	}
	sort.Strings(all)
	return all
}

func (r *Round) segments(y float64) []segment {
	a := r.axis()
	var list []segment
	for _, p := range r.Phases {
		s := segment{box: box{X: a.x(p.FromMS), Y: y, W: a.x(p.ToMS) - a.x(p.FromMS), H: laneHeight}, Class: p.Phase, Text: p.Phase}
		s.Title = fmt.Sprintf("%s to %s: %s", clock(p.FromMS), clock(p.ToMS), p.Phase)
		if p.Phase == "serving" {
			s.Text += " " + p.Master
			s.Title += " from " + p.Master
		} else if p.Reason != "" {
			s.Title += ", " + p.Reason
		}
		if textWidth(s.Text)+10 > s.W {
			s.Text = p.Phase
		}
		if textWidth(s.Text)+8 > s.W {
			s.Text = ""
		}
		list = append(list, s)
	}
	return list
}

// clock gives a time relative to the trigger: +1.234 s.
func clock(ms float64) string { return fmt.Sprintf("%+.3f s", ms/1000) }

func (r *Round) eventDots(sentinel string, y float64) []dot {
	var dots []dot
	for _, e := range r.Events {
		if e.Sentinel == sentinel {
			class := eventClass(e.Name)
			dots = append(dots, dot{Class: class, Shape: shape(class, r.axis().x(e.AtMS), y), Title: clock(e.AtMS) + " " + e.Name + " " + e.Text})
		}
	}
	// What matters most is drawn last, on top of the others.
	slices.SortStableFunc(dots, func(a, b dot) int { return cmp.Compare(weight[a.Class], weight[b.Class]) })
	return dots
}

var weight = map[string]int{"step": 0, "down": 1, "new": 2, "abort": 3}

// clientDots has one mark for each kind of trouble in each 100 ms.
func (r *Round) clientDots(y float64) []dot {
	var dots []dot
	for _, b := range r.Buckets {
		for _, trouble := range []struct {
			n           int
			class, name string
		}{
			{b.InDoubt, "doubt", "in doubt (-INDOUBT)"}, {b.Errors, "error", "answered with an error"},
			{b.Unanswered, "dropped", "unanswered: the connection was lost or the load ended"},
		} {
			if trouble.n > 0 {
				dots = append(dots, dot{Class: trouble.class, Shape: shape(trouble.class, r.middle(b), y), X: r.middle(b) + 9, Y: y + 4, Count: grouped(trouble.n),
					Title: fmt.Sprintf("%s: %s %s", clock(b.AtMS), number(trouble.n, "write"), trouble.name)})
			}
		}
	}
	return dots
}

// storyEvents are those whose first one gets its name into the chart.
var storyEvents = []string{"+sdown", "+odown", "+try-failover", "+promoted-slave", "+switch-master",
	"-failover-abort-not-elected", "-failover-abort-no-good-slave", "-failover-abort-slave-timeout"}

// eventLabels names the first event of each kind that tells the story, in rows so
// that none overlap, and counts the rows. One that finds no row is left out; its mark is
// there.
func (r *Round) eventLabels() (placed []label, high int) {
	var labels []label
	var xs, widths []float64
	seen := map[string]bool{}
	for _, e := range r.Events {
		if seen[e.Name] || !slices.Contains(storyEvents, e.Name) {
			continue
		}
		seen[e.Name] = true
		x := r.axis().x(e.AtMS)
		text := e.Name
		w := textWidth(text) + 14
		l := label{X: x, TextX: x + 4, Anchor: "start", Text: text}
		centre := x + w/2
		if x+w > plotRight {
			l.TextX, l.Anchor, centre = x-4, "end", x-w/2
		}
		labels, xs, widths = append(labels, l), append(xs, centre), append(widths, w)
	}
	for i, row := range rows(xs, widths) {
		if row < labelRows {
			high = max(high, row+1)
			labels[i].Y = labelRow*float64(row) + 11
			placed = append(placed, labels[i])
		}
	}
	return placed, high
}

// laneOf gives where, below the plot's top, the first event of a name stands.
func (r *Round) laneOf(name string, lanes []lane) float64 {
	for _, e := range r.Events {
		if e.Name != name {
			continue
		}
		for i, l := range lanes {
			if l.Sub == e.Sentinel {
				return float64(i)*(laneHeight+laneGap) + laneHeight/2
			}
		}
	}
	return 0
}
