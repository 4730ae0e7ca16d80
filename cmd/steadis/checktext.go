package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"steadis/sentinel"
	"steadis/sentinel/discovery"
)

// text writes the report for a person: a table of the Sentinels, the master, this
// machine, and the verdict as the last line. Of several masters each has its table.
func (r checkReport) text() string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	line := func(cells ...string) {
		// A strings.Builder takes every write.
		_, _ = fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	for _, s := range r.sights() {
		if s.Name == "" {
			s.lines(line, table.Flush)
			continue
		}
		line(s.Name + ":")
		s.lines(line, table.Flush)
		line("")
	}
	for _, f := range r.Here {
		line(f.What, mark(f.OK)+f.Detail)
	}
	_ = table.Flush()
	for _, warning := range r.Warnings {
		out.WriteString("\nwarning: " + warning)
	}
	if len(r.Warnings) > 0 {
		out.WriteString("\n")
	}
	if r.OK {
		out.WriteString("\nserve would work.\n")
		return out.String()
	}
	out.WriteString("\nserve would not work:\n")
	for _, s := range r.sights() {
		if s.Problem != "" {
			out.WriteString("  - " + s.titled(s.Problem) + "\n")
		}
	}
	for _, f := range r.Here {
		if !f.OK {
			out.WriteString("  - " + f.What + ": " + f.Detail + "\n")
		}
	}
	return out.String()
}

// sights are what was found of each master, one or several.
func (r checkReport) sights() []sight {
	if len(r.Masters) > 0 {
		return r.Masters
	}
	return []sight{r.sight}
}

// titled puts the master's name, if it needs one, before a text.
func (s sight) titled(text string) string {
	if s.Name == "" {
		return text
	}
	return s.Name + ": " + text
}

// lines are what is said of a master: a table, and below it what follows from it.
func (s sight) lines(line func(...string), flush func() error) {
	if s.Discovery != nil {
		endpointLines(s.Discovery, line)
		return
	}
	line("SENTINEL", "ANSWERS", "MASTER", "EPOCH", "FLAGS")
	for _, status := range s.Sentinel.Sentinels {
		line(sentinelCells(status, s.Sentinel.MasterName)...)
	}
	_ = flush()
	line("")
	line("master", s.masterLine())
	line("role", s.roleLine())
}

// endpointLines are what stands in the place of the Sentinels where there are none.
func endpointLines(r *discovery.Report, line func(...string)) {
	for _, address := range r.Endpoint {
		if r.Resolves {
			leads := "leads to " + cmp.Or(strings.Join(r.Record, ", "), "nothing: "+r.Error)
			line("NAME "+address, leads, fmt.Sprintf("after %v", r.Took.Round(10*time.Microsecond)))
		}
	}
	for _, n := range r.Nodes {
		line("NODE "+n.Address, cmp.Or(n.Role, "not asked"), n.Detail)
	}
	line("")
	line("master", cmp.Or(r.View.Master, "nobody"), r.View.Reason)
}

func mark(ok bool) string {
	if ok {
		return "ok: "
	}
	return "NOT OK: "
}

// sentinelCells is a Sentinel's row of the table.
func sentinelCells(s sentinel.SentinelStatus, master string) []string {
	if !s.Connected {
		return []string{s.Address, "no: " + cmp.Or(s.Error, "no answer"), "-", "-", "-"}
	}
	answers := "yes"
	if s.Error != "" {
		answers += ", but " + s.Error
	}
	if s.Master == "" {
		return []string{s.Address, answers, "does not know '" + master + "'", "-", "-"}
	}
	return []string{s.Address, answers, s.Master, fmt.Sprint(s.Epoch), s.Flags}
}

func (v sight) masterLine() string {
	s := v.Sentinel
	if s.Announced == "" {
		return fmt.Sprintf("nobody: %d of %d Sentinels must agree on one", s.Majority, s.Configured)
	}
	return fmt.Sprintf("%s, announced by at least %d of %d Sentinels, epoch %d", s.Announced, s.Majority, s.Configured, s.Epoch)
}

func (v sight) roleLine() string {
	s := v.Sentinel
	if s.Role == "" {
		return "not asked"
	}
	text := fmt.Sprintf("%s says: %s", s.Announced, s.Role)
	if s.RoleDetail != "" {
		text += " (" + s.RoleDetail + ")"
	}
	if s.RoleTook > 0 {
		text += fmt.Sprintf(", after %v", s.RoleTook.Round(10*time.Microsecond))
	}
	return text
}
