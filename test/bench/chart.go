package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The measures of the chart, in its own units.
const (
	chartWidth = 900
	nameWidth  = 150
	rightWidth = 60
	barHeight  = 11
	barGap     = 2
	groupGap   = 14
	chartTop   = 84
	chartFoot  = 34
)

// palette has a class for each target, light and dark. The colours stay apart for
// people who do not see red and green apart (Okabe and Ito).
var palette = []struct{ target, light, dark string }{
	{steadis, "#0072b2", "#56b4e9"},
	{steadisTLS, "#6a51a3", "#b9a7e0"},
	{haproxy1, "#e69f00", "#e69f00"},
	{haproxy, "#d55e00", "#f08048"},
	{twemproxy, "#009e73", "#2fc79a"},
	{predixy, "#8c6d5a", "#c9a68f"},
}

// bar is one target in a group.
type bar struct {
	class int // in palette
	ratio float64
}

// group is a row of the report in the chart.
type group struct {
	name string
	bars []bar
}

// groups are the rows of which the throughput is compared with that of direct.
func (r *report) groups() []group {
	var all []group
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Fixed {
			continue
		}
		g := group{name: row.Name}
		for class, p := range palette {
			if value := ratio(row.of(p.target).Rate, row.of(direct).Rate); value > 0 {
				g.bars = append(g.bars, bar{class, value})
			}
		}
		if len(g.bars) > 0 {
			all = append(all, g)
		}
	}
	return all
}

// longestAxis bounds the axis, so that one long bar does not make all others short.
const longestAxis = 2.5

// axisEnd is where the axis ends: at the next half above the longest bar, or at
// longestAxis, beyond which only the number tells.
func axisEnd(groups []group) float64 {
	longest := 1.0
	for _, g := range groups {
		for _, b := range g.bars {
			longest = max(longest, b.ratio)
		}
	}
	return min(math.Ceil(longest*2+0.01)/2, longestAxis)
}

// chart draws the throughput of all targets relative to Redis itself as SVG.
func (r *report) chart() string {
	groups := r.groups()
	end := axisEnd(groups)
	height := chartTop + chartFoot
	for _, g := range groups {
		height += len(g.bars)*(barHeight+barGap) + groupGap
	}
	x := func(ratio float64) float64 { return nameWidth + min(ratio/end, 1)*(chartWidth-nameWidth-rightWidth) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title desc">`+"\n", chartWidth, height)
	fmt.Fprintf(&b, "<title id=\"title\">Throughput relative to Redis itself</title>\n<desc id=\"desc\">%s</desc>\n", html.EscapeString(describe(groups)))
	b.WriteString(chartStyle())
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%d"/>`+"\n", chartWidth, height)
	fmt.Fprintf(&b, `<text class="head" x="16" y="26">Throughput relative to Redis itself (1.0 = no proxy)</text>`+"\n")
	b.WriteString(chartLegend(groups))
	for tick := 0.0; tick <= end+0.01; tick += 0.5 {
		class := "grid"
		if tick == 1 {
			class = "one"
		}
		fmt.Fprintf(&b, `<line class="%s" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text class="tick" x="%.1f" y="%d">%.1f</text>`+"\n",
			class, x(tick), chartTop-8, x(tick), height-chartFoot, x(tick), chartTop-12, tick)
	}
	y := chartTop
	for _, g := range groups {
		tall := len(g.bars) * (barHeight + barGap)
		fmt.Fprintf(&b, `<text class="name" x="%d" y="%d">%s</text>`+"\n", nameWidth-10, y+tall/2+3, html.EscapeString(g.name))
		for _, bar := range g.bars {
			fmt.Fprintf(&b, `<rect class="c%d" x="%d" y="%d" width="%.1f" height="%d"/><text class="value" x="%.1f" y="%d">%.2f</text>`+"\n",
				bar.class, nameWidth, y, x(bar.ratio)-nameWidth, barHeight, x(bar.ratio)+4, y+barHeight-2, bar.ratio)
			y += barHeight + barGap
		}
		y += groupGap
	}
	fmt.Fprintf(&b, `<text class="foot" x="16" y="%d">%s</text>`+"\n</svg>\n", height-12, html.EscapeString(r.footer()))
	return b.String()
}

// footer is short enough for one line.
func (r *report) footer() string {
	return fmt.Sprintf("%s, %d cores, Redis %s, commit %s; medians of %d", r.Date, r.Machine.Cores, r.Machine.Redis, r.Machine.Commit, r.Repeats)
}

func chartStyle() string {
	var light, dark strings.Builder
	for i, p := range palette {
		fmt.Fprintf(&light, ".c%d{fill:%s}", i, p.light)
		fmt.Fprintf(&dark, ".c%d{fill:%s}", i, p.dark)
	}
	return `<style>text{font-family:system-ui,sans-serif;font-size:11px;fill:#333}.head{font-size:16px;font-weight:600}.name{text-anchor:end}` +
		`.tick{text-anchor:middle;fill:#666}.value{font-size:10px}.foot{fill:#666}.page{fill:#fff}.grid{stroke:#e2e2e2}.one{stroke:#555;stroke-dasharray:4 3}` +
		light.String() + `@media(prefers-color-scheme:dark){text{fill:#ddd}.tick,.foot{fill:#aaa}.page{fill:#16181c}.grid{stroke:#33373d}.one{stroke:#aaa}` +
		dark.String() + "}</style>\n"
}

// chartLegend names the targets that the chart has.
func chartLegend(groups []group) string {
	has := map[int]bool{}
	for _, g := range groups {
		for _, b := range g.bars {
			has[b.class] = true
		}
	}
	var b strings.Builder
	x := 16
	for i, p := range palette {
		if !has[i] {
			continue
		}
		fmt.Fprintf(&b, `<rect class="c%d" x="%d" y="40" width="12" height="12"/><text x="%d" y="50">%s</text>`+"\n", i, x, x+17, p.target)
		x += 17 + 7*len(p.target) + 20
	}
	return b.String()
}

// describe says in words what the chart shows, for those who cannot see it.
func describe(groups []group) string {
	var sentences []string
	for _, g := range groups {
		var words []string
		for _, b := range g.bars {
			words = append(words, fmt.Sprintf("%s %.2f", palette[b.class].target, b.ratio))
		}
		sentences = append(sentences, g.name+": "+strings.Join(words, ", "))
	}
	return strings.Join(sentences, "; ") + "."
}
