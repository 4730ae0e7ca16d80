package resp

// maxNumber is the most bytes of a number: a sign and 19 digits, and one that
// Redis' string2ll allows for but never needs.
const maxNumber = 20

// parseNumber reads a number by the rules of Redis 7.0 util.c string2ll: no sign
// but a minus, no leading zero, no blank, no overflow of 64 bits, no -0.
func parseNumber(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > maxNumber {
		return 0, false
	}
	if len(b) == 1 && b[0] == '0' {
		return 0, true
	}
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || b[0] < '1' || b[0] > '9' {
		return 0, false
	}
	const most = 1 << 63 // as a magnitude: |MinInt64|
	var v uint64
	for _, c := range b {
		if c < '0' || c > '9' || v > most/10 {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
		if v > most {
			return 0, false
		}
	}
	if negative {
		return -int64(v), true
	}
	return int64(v), v < most
}
