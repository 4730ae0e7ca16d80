package main

import "testing"

func TestTable(t *testing.T) {
	tab := table{header: []string{"target", "n"}, rows: [][]string{{"é", "1,000"}, {"direct|x", none}}}
	want := "target        n\né         1,000\ndirect|x      -\n"
	if got := tab.aligned(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	want = "| target | n |\n|---|---:|\n| é | 1,000 |\n| direct\\|x | - |\n"
	if got := tab.markdown(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	tab.words = true
	want = "target    n\né         1,000\ndirect|x  -\n"
	if got := tab.aligned(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestNumber(t *testing.T) {
	for _, tt := range []struct {
		f        float64
		decimals int
		want     string
	}{{0, 2, none}, {1, 0, "1"}, {999.6, 0, "1,000"}, {1234567.891, 2, "1,234,567.89"}, {-123456, 0, "-123,456"}, {-123, 0, "-123"}, {0.25, 1, "0.2"}} {
		if got := number(tt.f, tt.decimals); got != tt.want {
			t.Errorf("%v: %q", tt.f, got)
		}
	}
}
