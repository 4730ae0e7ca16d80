package command

import (
	"math"
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestTimeout(t *testing.T) {
	for _, c := range []struct {
		line string
		at   int
		d    time.Duration
		ok   bool
	}{
		{"BLPOP k 0", 2, 0, true},
		{"BLPOP a b c 1.5", 4, 1500 * time.Millisecond, true},
		{"BRPOP k 0.0001", 2, time.Millisecond, true}, // Redis rounds up
		{"BRPOPLPUSH a b 10", 3, 10 * time.Second, true},
		{"BLMOVE a b LEFT RIGHT 2", 5, 2 * time.Second, true},
		{"BZPOPMIN k 1e1", 2, 10 * time.Second, true},
		{"BLMPOP 0.25 1 k LEFT", 1, 250 * time.Millisecond, true},
		{"BZMPOP 3 1 k MIN COUNT 9", 1, 3 * time.Second, true},
		{"WAIT 1 1500", 2, 1500 * time.Millisecond, true},
		{"WAITAOF 1 1 20", 3, 20 * time.Millisecond, true},
		{"XREAD BLOCK 100 STREAMS s $", 2, 100 * time.Millisecond, true},
		{"XREAD BLOCK 100 COUNT 1 BLOCK 200 STREAMS s $", 6, 200 * time.Millisecond, true},
		{"XREADGROUP GROUP g c BLOCK 0 STREAMS s >", 5, 0, true},
		{"BLPOP k 9000000000000000", 2, math.MaxInt64, true},
		{"WAIT 1 9223372036854775807", 2, math.MaxInt64, true},
		{"BLPOP k -1", 2, 0, false},
		{"BLPOP k abc", 2, 0, false},
		{"BLPOP k inf", 2, 0, false},
		{"BLPOP k nan", 2, 0, false},
		{"BLPOP k 1e300", 2, 0, false},
		{"BLPOP k 1_0", 2, 0, false},
		{"WAIT 1 1.5", 2, 0, false},
		{"WAIT 1 01", 2, 0, false},
		{"WAIT 1 9223372036854775808", 2, 0, false},
		{"XREAD BLOCK -1 STREAMS s $", 2, 0, false},
		{"BLPOP k", 0, 0, false},
		{"XREAD STREAMS s 0", 0, 0, false},
		{"GET k", 0, 0, false},
	} {
		a := args(c.line)
		at, d, ok := Lookup(a).Timeout(a)
		if at != c.at || ok != c.ok || ok && d != c.d {
			t.Errorf("%q: %d, %v, %v", c.line, at, d, ok)
		}
	}
}

func TestFormatTimeout(t *testing.T) {
	for _, c := range []struct {
		line string
		d    time.Duration
		want string
	}{
		{"BLPOP k 5", 0, "0"},
		{"BLPOP k 5", 5 * time.Second, "5"},
		{"BLPOP k 5", 1500 * time.Millisecond, "1.500"},
		{"BLPOP k 5", 1007 * time.Millisecond, "1.007"},
		{"BLPOP k 5", 1, "0.001"},
		{"BLPOP k 5", time.Millisecond + 1, "0.002"},
		{"BLPOP k 5", -time.Second, "0.001"},
		{"XREAD BLOCK 5 STREAMS s $", 1, "1"},
		{"XREAD BLOCK 5 STREAMS s $", -5 * time.Hour, "1"},
		{"XREAD BLOCK 5 STREAMS s $", 1500 * time.Millisecond, "1500"},
		{"WAIT 1 5", 0, "0"},
		{"BZMPOP 1 1 k MIN", 90 * time.Minute, "5400"},
		{"BLPOP k 5", math.MaxInt64, "9223372036.855"},
	} {
		i := Lookup(args(c.line))
		got := FormatTimeout(i, c.d)
		if string(got) != c.want {
			t.Errorf("%q, %v: %q, not %q", c.line, c.d, got, c.want)
		}
		if v, err := strconv.ParseFloat(string(got), 64); err != nil || v == 0 && c.d != 0 {
			t.Errorf("%q, %v: %q", c.line, c.d, got)
		}
	}
}

func TestLastIDs(t *testing.T) {
	for _, c := range []struct {
		line string
		want []int
	}{
		{"XREAD STREAMS s $", []int{3}},
		{"XREAD BLOCK 5 COUNT 2 STREAMS a $ c $ 0 $", []int{9, 11}}, // keys a $ c, ids $ 0 $
		{"XREAD BLOCK 5 STREAMS a b c $ 0-1 $", []int{7, 9}},
		{"XREAD STREAMS $ $", []int{3}},
		{"XREAD STREAMS a b $", nil},
		{"XREAD STREAMS", nil},
		{"XREAD BLOCK", nil},
		{"GET $", nil},
	} {
		got := LastIDs(args(c.line))
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, not %v", c.line, got, c.want)
		}
		if n := StreamCount(args(c.line)); got != nil && (n == 0 || got[0]-n < 1) {
			t.Errorf("%q: %d streams", c.line, n)
		}
	}
}
