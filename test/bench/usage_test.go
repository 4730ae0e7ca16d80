package main

import (
	"os"
	"testing"
)

func TestParseStat(t *testing.T) {
	got, err := parseStat("42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 4 0 1000 1 1")
	if err != nil || got != 2 {
		t.Errorf("%v s, %v", got, err)
	}
	for _, bad := range []string{"", "42 (x) S 1", "42 (x) S 1 42 42 0 -1 4194560 100 0 0 0 a 50 0"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	before, err := cpuSeconds(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for after := before; after < before+0.05; { // ends only if the time that we burn is seen
		if after, err = cpuSeconds(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	rss, err := residentBytes(os.Getpid())
	if err != nil || rss < 1<<20 || rss > 1<<34 {
		t.Errorf("%d bytes, %v", rss, err)
	}
	if perMillion(2, 1000) != 2000 || perMillion(2, 0) != 0 {
		t.Error("wrong figure a million")
	}
}
