package main

import "testing"

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{7}, 7}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 100, 2}, 3}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("median of %v: %v", tt.values, got)
		}
	}
}

// TestMediansCoverEveryField: a field that is missing in parts would always be 0.
func TestMediansCoverEveryField(t *testing.T) {
	all := figures{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	more := figures{3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	if got, want := medians([]figures{all, more}), (figures{2, 3, 4, 5, 6, 7, 8, 9, 10, 11}); got != want {
		t.Errorf("%+v", got)
	}
	// Each field by itself: the median of one is not that of another.
	mixed := medians([]figures{{Rate: 1, P99: 30}, {Rate: 2, P99: 10}, {Rate: 3, P99: 20}})
	if mixed.Rate != 2 || mixed.P99 != 20 {
		t.Errorf("%+v", mixed)
	}
}

func TestRatio(t *testing.T) {
	if ratio(3, 2) != 1.5 || ratio(0, 2) != 0 || ratio(2, 0) != 0 {
		t.Error("wrong ratio")
	}
}
