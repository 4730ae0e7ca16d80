package main

import (
	"fmt"
	"slices"
	"strings"
)

// expectation is a line of what must be seen.
type expectation struct {
	what   string
	bounds []bound
}

// bound is one figure of steadis and what it must be.
type bound struct {
	row     string
	target  string // whose figure it is; empty for steadis'
	figure  func(figures) float64
	over    []string // the targets to compare with: the best of them counts; nil: none
	compare comparison
	limit   float64
	form    string // how to print a figure
	label   string // what the figure is, after the number
}

// comparison is how a figure is compared with a limit.
type comparison uint8

const (
	ratioAtLeast comparison = iota // figure / that of over >= limit
	ratioAtMost                    // figure / that of over <= limit
	excessAtMost                   // figure - that of over <= limit
	atMost                         // figure <= limit
)

// verdict is what became of a bound.
type verdict struct {
	measured bool
	value    float64
	ok       bool
	failed   bool // the target did not get through the row
}

func rate(f figures) float64     { return f.Rate }
func redisCPU(f figures) float64 { return f.RedisCPU }
func p99(f figures) float64      { return f.P99 }

// judge compares a bound with what a report has.
func (b bound) judge(r *report) verdict {
	row := r.row(b.row)
	if row == nil {
		return verdict{}
	}
	target := b.target
	if target == "" {
		target = steadis
	}
	if row.failed(target) {
		return verdict{failed: true}
	}
	value := b.figure(row.of(target))
	if value == 0 {
		return verdict{}
	}
	if b.compare == atMost {
		return verdict{measured: true, value: value, ok: value <= b.limit}
	}
	other := 0.0
	for _, name := range b.over {
		other = max(other, b.figure(row.of(name)))
	}
	if other == 0 {
		return verdict{}
	}
	switch b.compare {
	case ratioAtLeast:
		value /= other
		return verdict{measured: true, value: value, ok: value >= b.limit}
	case ratioAtMost:
		value /= other
		return verdict{measured: true, value: value, ok: value <= b.limit}
	}
	value -= other
	return verdict{measured: true, value: value, ok: value <= b.limit}
}

// of says what must be, "<= 0.33 of direct".
func (b bound) of() string {
	sign := "<="
	if b.compare == ratioAtLeast {
		sign = ">="
	}
	return sign + " " + fmt.Sprintf(b.form, b.limit) + b.label
}

// verdicts gives the table of all expectations.
func (r *report) verdicts() table {
	tab := table{header: []string{"what", "must be", "measured", "verdict"}, words: true}
	for _, e := range expectations() {
		var must, measured []string
		var all []verdict
		for _, b := range e.bounds {
			v := b.judge(r)
			all = append(all, v)
			must = append(must, b.of())
			switch {
			case v.failed:
				measured = append(measured, "failed")
			case !v.measured:
				measured = append(measured, none)
			default:
				measured = append(measured, fmt.Sprintf(b.form, v.value)+b.label)
			}
		}
		tab.rows = append(tab.rows, []string{e.what, strings.Join(must, ", "), strings.Join(measured, ", "), sumUp(all)})
	}
	return tab
}

// sumUp is "ok" if all is well, "short" if anything is not or failed.
func sumUp(all []verdict) string {
	switch {
	case slices.ContainsFunc(all, func(v verdict) bool { return v.failed || v.measured && !v.ok }):
		return "short"
	case !slices.ContainsFunc(all, func(v verdict) bool { return v.measured }):
		return "not measured"
	case slices.ContainsFunc(all, func(v verdict) bool { return !v.measured }):
		return "ok as far as measured"
	}
	return "ok"
}
