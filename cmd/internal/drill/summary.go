package drill

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// Text is the plan for somebody who is asked to confirm it.
func (p Plan) Text() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-11s%s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "This takes the master of '%s' away %s:\n", p.Master, plural(p.Rounds, "once", fmt.Sprintf("%d times", p.Rounds)))
	line("master", "%s; %s: %s", p.MasterAddr, plural(len(p.Replicas), "1 good replica", fmt.Sprintf("%d good replicas", len(p.Replicas))), strings.Join(p.Replicas, ", "))
	line("Sentinels", "%d of %d agree; quorum %d, down-after %s", len(p.Sentinels), len(p.Sentinels), p.Quorum, seconds(p.DownAfterMS))
	how := p.Method
	if p.FreezeMS > 0 {
		how += " for " + seconds(p.FreezeMS)
	}
	line("how", "%s: %s", p.Kind, how)
	rate := "each as fast as it is answered"
	if p.RatePerSecond > 0 {
		rate = grouped(p.RatePerSecond) + " writes/s in all"
	}
	line("load", "%s (%s) and %s through %s, for about %s a round", number(p.Clients, "writer"), rate, number(p.Readers, "reader"), p.Addr, seconds(p.roundMS()))
	line("keys", "%s*, deleted afterwards", p.KeyPrefix)
	for _, w := range p.Warnings {
		line("warning", "%s", w)
	}
	return b.String()
}

// roundMS is about how long the load of one round lasts.
func (p Plan) roundMS() float64 {
	const failover = 1500 // ms, beyond down-after
	switch p.Kind {
	case Failover:
		return p.LeadMS + failover + p.TrailMS
	case Freeze:
		return p.LeadMS + max(p.FreezeMS, p.DownAfterMS+failover) + p.TrailMS
	}
	return p.LeadMS + p.DownAfterMS + failover + p.TrailMS
}

// Text is the report for a terminal.
func (r *Report) Text() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) {
		// A strings.Builder takes every write.
		_, _ = fmt.Fprintln(t, strings.Join(cells, "\t")+"\t")
	}
	row("round", "acknowledged", "lost", "doubled", "in doubt", "errors", "dropped", "longest wait", "silence", "new master after")
	for _, round := range r.Rounds {
		row(append([]string{fmt.Sprint(round.Number)}, figureCells(round.Figures, milliCell(round.SwitchedMS))...)...)
	}
	if len(r.Rounds) > 1 {
		row(append([]string{"all"}, figureCells(r.Total, "")...)...)
	}
	_ = t.Flush()
	if len(r.Rounds) > 0 {
		b.WriteString("\n")
		t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		row("writes' wait", "writes", "p50", "p99", "p99.9", "longest")
		for _, round := range r.Rounds {
			for _, part := range round.Writes.Parts() {
				row(fmt.Sprintf("round %d, %s", round.Number, part.Name), grouped(part.Answered), seconds(part.P50MS), seconds(part.P99MS), seconds(part.P999MS), seconds(part.MaxMS))
			}
		}
		_ = t.Flush()
	}
	for _, round := range r.Rounds {
		b.WriteString(round.details())
	}
	for _, note := range r.Notes {
		b.WriteString("\nnote: " + note)
	}
	outcome := "PASSED"
	if !r.Passed {
		outcome = "NOT PASSED"
	}
	fmt.Fprintf(&b, "\n%s. %s\n", outcome, r.Verdict)
	return b.String()
}

func figureCells(f Figures, switched string) []string {
	return []string{grouped(f.Acknowledged), grouped(f.Lost), grouped(f.Duplicated), grouped(f.InDoubt), grouped(f.ErrorReplies),
		grouped(f.Dropped), seconds(f.LongestWaitMS), seconds(f.LongestSilenceMS), switched}
}

func milliCell(ms *float64) string {
	if ms == nil {
		return "never"
	}
	return seconds(*ms)
}

// part is one of the three parts of a round.
type part struct {
	Name string
	Latency
}

// Parts gives the three parts in order, with their names.
func (t LatencyTrio) Parts() []part {
	return []part{{"before", t.Before}, {"during", t.During}, {"after", t.After}}
}

// details gives the errors and examples of a round, if there are any.
func (r *Round) details() string {
	var b strings.Builder
	line := func(format string, args ...any) {
		fmt.Fprintf(&b, "round %d: %s\n", r.Number, fmt.Sprintf(format, args...))
	}
	if r.Problem != "" {
		line("%s", r.Problem)
	}
	for _, class := range r.Classes() {
		text := r.ErrorTexts[class]
		line("%s x -%s: %s", grouped(r.Figures.ErrorsByClass[class]), class, text)
	}
	if text := r.ErrorTexts["health check"]; text != "" {
		line("%s of %s health checks failed: %s", grouped(r.Figures.FailedPings), grouped(r.Figures.Pings), text)
	}
	for _, cause := range r.DropCauses {
		line("a connection was dropped: %s", cause)
	}
	for _, example := range r.Examples {
		line("%s", example)
	}
	if b.Len() > 0 {
		return "\n" + b.String()
	}
	return ""
}

// Classes gives the classes of a round's errors in order.
func (r *Round) Classes() []string {
	var classes []string
	for class := range r.Figures.ErrorsByClass {
		classes = append(classes, class)
	}
	slices.Sort(classes)
	return classes
}
