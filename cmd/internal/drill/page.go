package drill

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
)

//go:embed page/page.html
var pageHTML string

//go:embed page/page.css
var pageStyle string

//go:embed page/page.js
var pageScript string

// pageTemplate is parsed once; the files are part of the program, so it cannot fail.
var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"grouped": grouped,
	"seconds": seconds,
	"clock":   clock,
	"milli":   milliCell,
	"plural":  plural,
	"join":    strings.Join,
	"moment":  func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") },
	"state":   stateOf,
	"minus":   func(a, b float64) float64 { return a - b },
	"plus":    func(a, b float64) float64 { return a + b },
	"half":    func(a, b float64) float64 { return (a + b) / 2 },
	"rate":    perSecond,
}).Parse(pageHTML))

// pageData is what the template gets.
type pageData struct {
	*Report
	Style  template.CSS
	Script template.JS
	Cards  []card
	Pages  []roundPage
}

// card is one figure at the top. State is good, bad or plain.
type card struct{ Name, Value, Note, State string }

// roundPage is a round with its charts.
type roundPage struct {
	*Round
	Throughput, Latency, Lanes chart
	// Data and Axis are for the page's script: see Round.readout; the axis is from and to
	// in milliseconds, left, right and width in units of the charts.
	Data [][6]float64
	Axis [5]float64
}

// Page writes the report as one HTML page that needs nothing else: no network, no
// other file.
func (r *Report) Page(w io.Writer) error {
	data := pageData{Report: r, Style: template.CSS(pageStyle), Script: template.JS(pageScript), Cards: r.cards()}
	for i := range r.Rounds {
		round := &r.Rounds[i]
		data.Pages = append(data.Pages, roundPage{
			Round: round, Throughput: round.throughput(), Latency: round.latency(), Lanes: round.lanes(),
			Data: round.readout(), Axis: [5]float64{round.BeginMS, round.EndMS, plotLeft, plotRight, chartWidth},
		})
	}
	return pageTemplate.Execute(w, data)
}

// stateOf colours a figure that should be 0.
func stateOf(n int) string {
	if n == 0 {
		return "good"
	}
	return "bad"
}

// cards are the figures that come first.
func (r *Report) cards() []card {
	t := &r.Total
	doubt := card{"In doubt", grouped(t.InDoubt), "no write whose fate its sender does not know", "good"}
	if t.InDoubt > 0 {
		doubt.Note, doubt.State = fmt.Sprintf("their senders were told; %s of them ran", grouped(t.InDoubtPresent)), "plain"
	}
	return []card{
		{"Acknowledged writes", grouped(t.Acknowledged), fmt.Sprintf("by %s in %s", number(r.Plan.Clients, "client"), number(len(r.Rounds), "round")), "plain"},
		{"Lost", grouped(t.Lost), "acknowledged, and not there afterwards", stateOf(t.Lost)},
		{"Doubled", grouped(t.Duplicated), "there more than once", stateOf(t.Duplicated)},
		{"Dropped connections", grouped(t.Dropped), "that clients had to make anew", stateOf(t.Dropped)},
		doubt,
		{"Errors", grouped(t.ErrorReplies), "replies other than INDOUBT", stateOf(t.ErrorReplies)},
		{"Longest wait", seconds(t.LongestWaitMS), "of a single write", "plain"},
		{"Longest silence", seconds(t.LongestSilenceMS), "without any acknowledged write", "plain"},
	}
}
