package main

import (
	"errors"
	"testing"
	"time"
)

func TestServedCountsFromTheAnnouncement(t *testing.T) {
	at := func(seconds ...float64) (trace []time.Duration) {
		for _, s := range seconds {
			trace = append(trace, time.Duration(s*float64(time.Second)))
		}
		return trace
	}
	first, everyone, err := served([][]time.Duration{at(1, 2, 5.5, 6), at(1, 4.99, 5.25), at(9)}, 5*time.Second)
	if err != nil || first != 250*time.Millisecond || everyone != 4*time.Second {
		t.Errorf("first %v, all %v, %v", first, everyone, err)
	}
	for name, traces := range map[string][][]time.Duration{"one is not": {at(6), at(4)}, "one has none": {at(6), nil}, "nobody": nil} {
		if _, _, err := served(traces, 5*time.Second); !errors.Is(err, errUnserved) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
