package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is what the text and the Markdown show alike. The first column is words, and
// the others are figures unless all are words.
type table struct {
	header []string
	rows   [][]string
	words  bool
}

// none stands for what was not measured.
const none = "-"

// aligned gives the table with columns of equal width.
func (t table) aligned() string {
	widths := make([]int, len(t.header))
	lines := append([][]string{t.header}, t.rows...)
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		var row strings.Builder
		for i, cell := range line {
			if i > 0 {
				row.WriteString("  ")
			}
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 || t.words {
				row.WriteString(cell + gap)
			} else {
				row.WriteString(gap + cell)
			}
		}
		b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	return b.String()
}

// markdown gives the table as GitHub writes tables.
func (t table) markdown() string {
	var b strings.Builder
	line := func(cells []string) {
		b.WriteString("|")
		for _, cell := range cells {
			b.WriteString(" " + strings.ReplaceAll(cell, "|", `\|`) + " |")
		}
		b.WriteByte('\n')
	}
	line(t.header)
	rule := "---:|"
	if t.words {
		rule = "---|"
	}
	b.WriteString("|---|" + strings.Repeat(rule, len(t.header)-1) + "\n")
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

// column is a figure of a target in a row.
type column struct {
	title string
	value func(r *rowResult, t targetResult) string
}

// columns are all that there are; a row shows those in which something was measured.
func (r *rowResult) columns() []column {
	return []column{
		{r.Unit, func(_ *rowResult, t targetResult) string { return number(t.Median.Rate, 0) }},
		{"range", func(_ *rowResult, t targetResult) string { return percent(t.spread()) }},
		{"of direct", func(r *rowResult, t targetResult) string { return number(ratio(t.Median.Rate, r.of(direct).Rate), 2) }},
		{"steadis is", func(r *rowResult, t targetResult) string {
			return times(ratio(r.of(steadis).Rate, t.Median.Rate))
		}},
		{"p50 ms", func(_ *rowResult, t targetResult) string { return number(t.Median.P50, 2) }},
		{"p99 ms", func(_ *rowResult, t targetResult) string { return number(t.Median.P99, 2) }},
		{"p99.9 ms", func(_ *rowResult, t targetResult) string { return number(t.Median.P999, 2) }},
		{"proxy CPU", func(_ *rowResult, t targetResult) string { return number(t.Median.ProxyCPU, 2) }},
		{"Redis CPU", func(_ *rowResult, t targetResult) string { return number(t.Median.RedisCPU, 2) }},
		{"of direct's", func(r *rowResult, t targetResult) string {
			return number(ratio(t.Median.RedisCPU, r.of(direct).RedisCPU), 2)
		}},
		{"RSS MB", func(_ *rowResult, t targetResult) string { return number(t.Median.RSS, 1) }},
		{"kB each", func(_ *rowResult, t targetResult) string { return number(t.Median.Each, 1) }},
		{"first reply ms", func(_ *rowResult, t targetResult) string { return number(t.Median.First, 0) }},
		{"all served ms", func(_ *rowResult, t targetResult) string { return number(t.Median.Everyone, 0) }},
	}
}

// table gives the row's table.
func (r *rowResult) table() table {
	tab := table{header: []string{"target"}}
	for _, t := range r.Targets {
		tab.rows = append(tab.rows, []string{t.Name})
	}
	for _, c := range r.columns() {
		cells := make([]string, len(r.Targets))
		for i, t := range r.Targets {
			cells[i] = none
			if t.Failure == "" {
				cells[i] = c.value(r, t)
			}
		}
		if !slices.ContainsFunc(cells, func(cell string) bool { return cell != none }) {
			continue
		}
		tab.header = append(tab.header, c.title)
		for i, cell := range cells {
			tab.rows[i] = append(tab.rows[i], cell)
		}
	}
	return tab
}

// number gives a figure with so many decimals, thousands apart.
func number(f float64, decimals int) string {
	if f == 0 {
		return none
	}
	text := fmt.Sprintf("%.*f", decimals, f)
	whole, fraction, _ := strings.Cut(text, ".")
	for at := len(whole) - 3; at > 0 && whole[at-1] != '-'; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if fraction != "" {
		return whole + "." + fraction
	}
	return whole
}

func percent(f float64) string {
	if f == 0 {
		return none
	}
	return fmt.Sprintf("%.0f%%", f*100)
}

func times(f float64) string {
	if f == 0 {
		return none
	}
	return number(f, 2) + " x"
}
