package main

import (
	"fmt"
	"strings"
)

// legend explains the columns.
const legend = `"range" is from the lowest to the highest of the measurements, relative to the median: how much noise there was. ` +
	`"of direct" is the throughput relative to Redis itself, "steadis is" that of steadis relative to the target. ` +
	`CPU is in seconds a million commands, as the kernel counts them for the process; "of direct's" is Redis' CPU a command relative to that without a proxy. ` +
	`RSS is the proxy's, after the load.`

// text gives the report for a terminal.
func (r *report) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n", r.origin(), legend)
	for _, remark := range r.Remarks {
		fmt.Fprintf(&b, "%s\n", remark)
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		fmt.Fprintf(&b, "\n%s: %s\n%s", row.Name, row.About, row.table().aligned())
		for _, note := range row.notes() {
			fmt.Fprintf(&b, "  %s\n", note)
		}
	}
	fmt.Fprintf(&b, "\nWhat must be seen\n%s", r.verdicts().aligned())
	return b.String()
}

// markdown gives the report as a document.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Speed: steadis beside the other ways to one Redis\n\n`make bench`. %s\n\n%s\n\n", r.origin(), legend)
	for _, remark := range r.Remarks {
		fmt.Fprintf(&b, "%s\n\n", remark)
	}
	fmt.Fprintf(&b, "![throughput relative to Redis itself](chart.svg)\n\n## What must be seen\n\n%s", r.verdicts().markdown())
	for i := range r.Rows {
		row := &r.Rows[i]
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s", row.Name, row.About, row.table().markdown())
		for _, note := range row.notes() {
			fmt.Fprintf(&b, "\n%s\n", note)
		}
	}
	return b.String()
}

// notes are the remark of a row and what went wrong in it.
func (r *rowResult) notes() []string {
	var notes []string
	if r.Remark != "" {
		notes = append(notes, r.Remark)
	}
	for _, t := range r.Targets {
		if t.Failure != "" {
			notes = append(notes, t.Name+" failed: "+strings.Join(strings.Fields(t.Failure), " "))
		}
	}
	return notes
}
