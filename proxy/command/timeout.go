package command

import (
	"math"
	"strconv"
	"time"
)

// timeoutPlace says where a blocking command has its timeout, and its unit.
type timeoutPlace uint8

const (
	noTimeout    timeoutPlace = iota
	lastSeconds               // the last argument: BLPOP key 1.5
	firstSeconds              // the first argument: BLMPOP 1.5 1 key LEFT
	lastMillis                // the last argument: WAIT 1 1500
	blockMillis               // the argument after BLOCK: XREAD BLOCK 1500 STREAMS ...
)

// Timeout returns the index of the timeout in args, which Lookup gave i for, and
// its value; 0 means for ever. ok is false if it is not there or not legal, which is
// for Redis to judge: it answers with an error at once. Values beyond time.Duration
// are cut to its maximum.
func (i *Info) Timeout(args [][]byte) (at int, d time.Duration, ok bool) {
	if !Arity(i, len(args)) {
		return 0, 0, false
	}
	switch i.timeout {
	case lastSeconds:
		at = len(args) - 1
	case firstSeconds:
		at = 1
	case lastMillis:
		at = len(args) - 1
	case blockMillis:
		at = parseXRead(args).block
	case noTimeout:
	}
	if at == 0 {
		return 0, 0, false
	}
	if i.timeout == lastSeconds || i.timeout == firstSeconds {
		d, ok = parseSeconds(args[at])
	} else {
		d, ok = parseMillis(args[at])
	}
	return at, d, ok
}

// FormatTimeout returns d as the timeout argument of i, rounded up to
// milliseconds: of a positive d, and of a negative one, never 0, which would mean for
// ever. Fractions of seconds need Redis 6; whole seconds are written without.
func FormatTimeout(i *Info, d time.Duration) []byte {
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ms++
	}
	if ms <= 0 && d != 0 {
		ms = 1
	}
	if i.timeout != lastSeconds && i.timeout != firstSeconds {
		return strconv.AppendInt(nil, ms, 10)
	}
	b := strconv.AppendInt(nil, ms/1000, 10)
	if ms %= 1000; ms > 0 {
		b = append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	}
	return b
}

// longestNumber is more digits than a number of seconds needs.
const longestNumber = 32

// parseSeconds reads seconds as a decimal number, as Redis 7.0 timeout.c
// getTimeoutFromObjectOrReply does. Redis takes other notations as well, and so it
// may take what this does not.
func parseSeconds(b []byte) (time.Duration, bool) {
	if len(b) == 0 || len(b) > longestNumber {
		return 0, false
	}
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	s, err := strconv.ParseFloat(string(b), 64)
	if err != nil || s < 0 {
		return 0, false
	}
	ms := math.Ceil(s * 1000)
	if ms > math.MaxInt64 {
		return 0, false // "timeout is out of range"
	}
	if ms > float64(math.MaxInt64/time.Millisecond) {
		return math.MaxInt64, true
	}
	return time.Duration(ms) * time.Millisecond, true
}

// parseMillis reads milliseconds as Redis' string2ll does: digits without sign and
// leading zero.
func parseMillis(b []byte) (time.Duration, bool) {
	if len(b) == 0 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	var ms int64
	for _, c := range b {
		d := int64(c) - '0'
		if d < 0 || d > 9 || ms > (math.MaxInt64-d)/10 {
			return 0, false
		}
		ms = ms*10 + d
	}
	if ms > int64(math.MaxInt64/time.Millisecond) {
		return math.MaxInt64, true
	}
	return time.Duration(ms) * time.Millisecond, true
}
