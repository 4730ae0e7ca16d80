package main

import (
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func names(rows []row) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r.name)
	}
	return all
}

func TestSelectRows(t *testing.T) {
	all := []row{{name: "get-c1", short: true}, {name: "get-c5000"}, {name: "set-c50", short: true}}
	for expression, want := range map[string][]string{
		"":      {"get-c1", "set-c50"},
		"all":   {"get-c1", "get-c5000", "set-c50"},
		"^get-": {"get-c1", "get-c5000"},
		"5":     {"get-c5000", "set-c50"},
	} {
		got, err := options{rows: expression}.selectRows(all)
		if err != nil || !slices.Equal(names(got), want) {
			t.Errorf("%q: %v, %v", expression, names(got), err)
		}
	}
	for _, expression := range []string{"nothing", "("} {
		if _, err := (options{rows: expression}).selectRows(all); err == nil {
			t.Errorf("%q selects rows", expression)
		}
	}
}

func TestASelectionKeepsTheFiguresOfAWholeSet(t *testing.T) {
	for o, want := range map[options]string{
		{}: "test/bench/results", {rows: "all"}: "test/bench/results", {rows: "get"}: "bin/bench", {rows: "get", out: "x"}: "x",
	} {
		if got := o.directory(); got != want {
			t.Errorf("%+v: %s", o, got)
		}
	}
}

// TestExpectationsAreMeasured: each needs rows that exist, and the short set has them.
func TestExpectationsAreMeasured(t *testing.T) {
	short, err := options{}.selectRows(allRows())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range expectations() {
		for _, b := range e.bounds {
			if !slices.Contains(names(short), b.row) {
				t.Errorf("%s: the short set has no row %q", e.what, b.row)
			}
		}
	}
	all := names(allRows())
	slices.Sort(all)
	if len(slices.Compact(all)) != len(allRows()) {
		t.Error("two rows have one name")
	}
}
