package main

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestParseRedisBenchmark(t *testing.T) {
	body, err := os.ReadFile("testdata/redis-benchmark.txt")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseRedisBenchmark(string(body))
	want := figures{Rate: 21929.82, P50: 0.143, P99: 0.367, P999: 0.759}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for _, cut := range []string{"throughput summary", "latency summary"} {
		text, _, _ := strings.Cut(string(body), cut)
		if _, err := parseRedisBenchmark(text); !errors.Is(err, errNoSummary) {
			t.Errorf("without %s: %v", cut, err)
		}
	}
}

func TestRedisLoadFillsTheTime(t *testing.T) {
	for _, tt := range []struct {
		load redisLoad
		rate float64
		want int
	}{
		{redisLoad{clients: 50, pipeline: 1, size: small}, 100_000, 150_000},
		{redisLoad{clients: 5000, pipeline: 1, size: small}, 100, 10_000}, // each client twice
		{redisLoad{clients: 10, pipeline: 1, size: mega}, 10, 200},
	} {
		if got := tt.load.commands(tt.rate, 1.5); got != tt.want {
			t.Errorf("%+v at %v/s: %d commands", tt.load, tt.rate, got)
		}
	}
}
