package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sampleReport has what a report can have: a plain row, one with a failure, one at a
// given rate, and special figures.
func sampleReport() report {
	one := func(name string, f figures) targetResult {
		return targetResult{Name: name, Median: f, Samples: []figures{f}}
	}
	noisy := one(direct, figures{Rate: 100_000, P99: 1, RedisCPU: 8})
	noisy.Samples = []figures{{Rate: 90_000}, {Rate: 100_000}, {Rate: 110_000}}
	return report{
		Machine: machine{Cores: 2, Redis: "7.0.15", Commit: "abc"}, Date: "2026-01-02", Repeats: 3, Seconds: 1.5,
		Remarks: []string{"nutcracker is not installed"},
		Rows: []rowResult{
			{Name: "get-c50", About: "GET <50>", Unit: "commands/s", Targets: []targetResult{
				noisy, one(steadis, figures{Rate: 90_000, P99: 1.2, ProxyCPU: 9, RedisCPU: 2, RSS: 20}),
				one(haproxy1, figures{Rate: 60_000, RedisCPU: 8}), one(haproxy, figures{Rate: 50_000}),
			}},
			{Name: "get-c500", About: "GET", Unit: "commands/s", Remark: "a remark", Targets: []targetResult{
				one(direct, figures{Rate: 1000}), {Name: steadis, Failure: "it\nbroke", Median: figures{Rate: 5000}},
			}},
			{Name: "open-half-c50", About: "open", Unit: "commands/s", Fixed: true, Targets: []targetResult{
				one(direct, figures{Rate: 500, P99: 1}), one(steadis, figures{Rate: 500, P99: 1.75}),
			}},
			{Name: "idle-10000", Targets: []targetResult{one(steadis, figures{Each: 12})}},
		},
	}
}

func TestReportIsWrittenInAllForms(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	rep := sampleReport()
	if err := rep.write(dir); err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		"results.txt":  {"get-c50: GET <50>", "20%", "1.50 x", "steadis failed: it broke", "a remark", "nutcracker is not installed", "commit abc", "12.0"},
		"RESULTS.md":   {"| steadis | 90,000 | - | 0.90 | 1.00 x |", "](chart.svg)", "| GET -P1 -c50 |"},
		"results.json": {`"rate": 90000`},
		"chart.svg":    {"get-c50"},
	} {
		body, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(body), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, body)
			}
		}
		var back report
		if name == "results.json" && json.Unmarshal(body, &back) != nil {
			t.Error("the JSON cannot be read")
		}
	}
}

func TestTablesLeaveOutWhatWasNotMeasured(t *testing.T) {
	rep := sampleReport()
	got := strings.Join(rep.row("idle-10000").table().header, ",")
	if got != "target,kB each" {
		t.Errorf("columns of idle clients: %s", got)
	}
}

func TestChart(t *testing.T) {
	rep := sampleReport()
	rep.Rows[0].Targets[1].Median.Rate = 900_000 // far beyond the axis
	svg := rep.chart()
	count := map[string]int{}
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("no XML: %v\n%s", err, svg)
		}
		if start, ok := token.(xml.StartElement); ok {
			count[start.Name.Local]++
		}
	}
	// The page, 3 in the legend, 3 bars: the second row has only a failure, the third a
	// given rate, the last one no throughput.
	if count["title"] != 1 || count["desc"] != 1 || count["rect"] != 7 {
		t.Errorf("elements: %v\n%s", count, svg)
	}
	for _, want := range []string{"prefers-color-scheme:dark", "get-c50: steadis 9.00, HAProxy 1 thread 0.60", `width="690.0"`, ">9.00<", "commit abc"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the chart lacks %q:\n%s", want, svg)
		}
	}
	for longest, want := range map[float64]float64{0.3: 1.5, 1.2: 1.5, 1.5: 2, 9: longestAxis} {
		if got := axisEnd([]group{{bars: []bar{{0, longest}}}}); got != want {
			t.Errorf("a bar of %v: the axis ends at %v", longest, got)
		}
	}
}
