package faults

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"regexp"
	"testing"
)

// pattern reads a variable that holds a regular expression; nil if it is unset.
func pattern(t *testing.T, name string) *regexp.Regexp {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return nil
	}
	re, err := regexp.Compile("(?i)" + text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return re
}

// source gives the random numbers of one purpose: the same ones for the same seed,
// whatever else ran before.
func source(seed int, purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(uint64(seed), h.Sum64()))
}
