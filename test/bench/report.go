package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// report is what a run measured.
type report struct {
	Machine machine     `json:"machine"`
	Date    string      `json:"date"`
	Repeats int         `json:"repeats"`
	Seconds float64     `json:"seconds"` // of each measurement
	Remarks []string    `json:"remarks,omitempty"`
	Rows    []rowResult `json:"rows"`
}

// rowResult is a row with all targets that can do what it needs.
type rowResult struct {
	Name    string         `json:"name"`
	About   string         `json:"about"`
	Unit    string         `json:"unit,omitempty"`
	Remark  string         `json:"remark,omitempty"`
	Fixed   bool           `json:"fixed,omitempty"` // the rate was given
	Targets []targetResult `json:"targets"`
}

// targetResult is what one target did in a row.
type targetResult struct {
	Name    string    `json:"name"`
	Median  figures   `json:"median"`
	Samples []figures `json:"samples"`
	Failure string    `json:"failure,omitempty"` // why it was left out
}

func newReport(ctx context.Context, o options) report {
	return report{Machine: thisMachine(ctx), Date: time.Now().UTC().Format(time.DateOnly), Repeats: o.repeats, Seconds: o.time.Seconds()}
}

// row finds a row by its name; nil if it was not measured.
func (r *report) row(name string) *rowResult {
	for i := range r.Rows {
		if r.Rows[i].Name == name {
			return &r.Rows[i]
		}
	}
	return nil
}

// of gives the medians of a target; zero if it was not measured or failed.
func (r *rowResult) of(target string) figures {
	for _, t := range r.Targets {
		if t.Name == target && t.Failure == "" {
			return t.Median
		}
	}
	return figures{}
}

// failed says whether a target was left out of the row because it failed.
func (r *rowResult) failed(target string) bool {
	return slices.ContainsFunc(r.Targets, func(t targetResult) bool { return t.Name == target && t.Failure != "" })
}

// spread is how far the rates lie apart: the range, of the median.
func (t targetResult) spread() float64 {
	if len(t.Samples) == 0 || t.Median.Rate == 0 {
		return 0
	}
	low, high := t.Samples[0].Rate, t.Samples[0].Rate
	for _, s := range t.Samples {
		low, high = min(low, s.Rate), max(high, s.Rate)
	}
	return (high - low) / t.Median.Rate
}

// brief is one line about the row, for those who wait.
func (r *rowResult) brief() string {
	var words []string
	for _, t := range r.Targets {
		m := t.Median
		switch {
		case t.Failure != "":
			words = append(words, t.Name+" failed: "+t.Failure)
		case m.Everyone > 0:
			words = append(words, fmt.Sprintf("%s first %.0f ms, all %.0f ms", t.Name, m.First, m.Everyone))
		case m.Each > 0:
			words = append(words, fmt.Sprintf("%s %.1f kB each", t.Name, m.Each))
		case m.Rate > 0:
			words = append(words, fmt.Sprintf("%s %.0f", t.Name, m.Rate))
		}
	}
	return strings.Join(words, ", ")
}

// origin tells how the figures came about.
func (r *report) origin() string {
	return fmt.Sprintf("%s, %s. Load, proxy and Redis share the machine. Medians of %d measurements of %g s each, the targets in turn.",
		r.Date, r.Machine, r.Repeats, r.Seconds)
}

// write puts the report into dir as text, Markdown, chart and JSON.
func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	encoded, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	files := map[string]string{
		"results.txt": r.text(), "RESULTS.md": r.markdown(), "chart.svg": r.chart(), "results.json": string(encoded) + "\n",
	}
	for name, body := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644))
	}
	return err
}
