package resp

import "math"

// Found is where whole commands and their arguments are in memory that Next has handed
// out. It is filled again and again.
type Found struct {
	// Commands is where each command ends and how many arguments it has.
	Commands []Extent
	// Args is where their arguments begin and end, of all commands in a row. What there is
	// more of them is of no whole command.
	Args []Extent
}

// Extent is two places in memory, or one and a number.
type Extent struct{ A, B int32 }

func (f *Found) reset() {
	if f != nil {
		f.Commands, f.Args = f.Commands[:0], f.Args[:0]
	}
}

// note notes the commands of b, which query has found whole.
func (f *Found) note(b []byte) {
	for end := 0; f != nil && end < len(b); {
		args, next := canonicalNumber(b, end+1)
		end = f.args(b, next, args, math.MaxInt64)
		f.command(end, args)
	}
}

// command notes a whole command. Args may go on with those of one that is not.
func (f *Found) command(end, args int) {
	if f != nil {
		f.Commands = append(f.Commands, Extent{int32(end), int32(args)})
	}
}

// whole returns where those commands end that begin at b[from:] and are whole, in
// canonical form, within the limits, and to be handed out in place, and notes where they are
// in found, unless that is nil. Everything else, whether incomplete, large, inline, illegal or
// only odd, is left to query.
func (l *Limits) whole(b []byte, from int, unauth bool, found *Found) int {
	maxArgs, maxBulk := l.MaxArgs, l.MaxBulk
	if unauth {
		maxArgs, maxBulk = min(maxArgs, unauthMaxArgs), min(maxBulk, unauthMaxBulk)
	}
	most := min(l.MaxBuffered, l.MaxInPlace)
	end := from
	for end < len(b) && b[end] == '*' {
		args, next := canonicalNumber(b, end+1)
		if args == 0 || args > maxArgs {
			return end
		}
		next = found.args(b, next, args, maxBulk)
		if next == 0 || int64(next-end) > most || likePlaceholder(b[end:], next-end) {
			return end
		}
		found.command(next, args)
		end = next
	}
	return end
}

// args notes the arguments of a command, which begin at b[i:], and returns where they end; 0
// if they are not there whole, in canonical form and no longer than most.
func (f *Found) args(b []byte, i, count int, most int64) (end int) {
	for range count {
		if i >= len(b) || b[i] != '$' {
			return 0
		}
		n, body := canonicalNumber(b, i+1)
		if body == 0 || int64(n) > most || n > len(b)-body-2 {
			return 0
		}
		i = body + n + 2
		if b[i-2] != '\r' || b[i-1] != '\n' {
			return 0
		}
		if f != nil {
			f.Args = append(f.Args, Extent{int32(body), int32(body + n)})
		}
	}
	return i
}

// canonicalNumber reads digits and CRLF at b[i:]. next is the place after them,
// or 0 if they are not there whole, or not without sign and leading zero, or are
// more than fit.
func canonicalNumber(b []byte, i int) (n, next int) {
	if i+2 < len(b) && b[i+1] == '\r' && b[i+2] == '\n' {
		if c := b[i] - '0'; c <= 9 {
			return int(c), i + 3
		}
		return 0, 0
	}
	if i >= len(b) || b[i] == '0' {
		return 0, 0
	}
	const mostDigits = 18 // cannot overflow
	var v int64
	for k := i; k < len(b) && k <= i+mostDigits; k++ {
		c := b[k] - '0'
		if c > 9 {
			n = int(v)
			if k == i || b[k] != '\r' || k+1 >= len(b) || b[k+1] != '\n' || int64(n) != v {
				return 0, 0
			}
			return n, k + 2
		}
		v = v*10 + int64(c)
	}
	return 0, 0
}
