package resp

// whole returns how many bytes at the beginning of b are whole commands in
// canonical form, within the limits, and to be handed out in place. Everything
// else, whether incomplete, large, inline, illegal or only odd, is left to query.
func (l *Limits) whole(b []byte, unauth bool) int {
	maxArgs, maxBulk := l.MaxArgs, l.MaxBulk
	if unauth {
		maxArgs, maxBulk = min(maxArgs, unauthMaxArgs), min(maxBulk, unauthMaxBulk)
	}
	most := min(l.MaxBuffered, l.MaxInPlace)
	end := 0
	for end < len(b) && b[end] == '*' {
		args, i := canonicalNumber(b, end+1)
		if args == 0 || args > maxArgs {
			return end
		}
		for ; args > 0; args-- {
			if i >= len(b) || b[i] != '$' {
				return end
			}
			n, body := canonicalNumber(b, i+1)
			if body == 0 || int64(n) > maxBulk || n > len(b)-body-2 {
				return end
			}
			i = body + n + 2
			if b[i-2] != '\r' || b[i-1] != '\n' {
				return end
			}
		}
		if int64(i-end) > most || likePlaceholder(b[end:], i-end) {
			return end
		}
		end = i
	}
	return end
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
