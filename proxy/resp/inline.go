package resp

import "strconv"

// splitInline splits a line into arguments by the rules of Redis 7.0 sds.c
// sdssplitargs: blanks separate; double quotes know \xHH and the usual escapes,
// single quotes only \'; a closing quote must be followed by a blank or the end.
// ok is false for unbalanced quotes. The line holds no NUL (see query.inline) and
// is overwritten.
func splitInline(line []byte) (args [][]byte, ok bool) {
	i := 0
	for {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return args, true
		}
		arg, next, ok := nextInline(line, i)
		if !ok {
			return nil, false
		}
		args = append(args, arg)
		i = next
	}
}

// nextInline reads the argument that begins at line[i], into the place where it
// stands, since it can only become shorter. next is where it ends in line.
func nextInline(line []byte, i int) (arg []byte, next int, ok bool) {
	w := i
	start := i
	for ; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\n', '\r', '\t':
			return line[start:w], i, true
		case '"', '\'':
			end, written, ok := unquote(line, i, w)
			if !ok {
				return nil, 0, false
			}
			return line[start:written], end, true
		default:
			line[w] = c
			w++
		}
	}
	return line[start:w], i, true
}

// unquote reads the quoted text whose opening quote is line[i] and writes it from
// line[w] on. end is the place after the closing quote, which ends the argument.
func unquote(line []byte, i, w int) (end, written int, ok bool) {
	quote := line[i]
	for i++; i < len(line); i++ {
		c := line[i]
		switch {
		case c == quote:
			if i+1 < len(line) && !isSpace(line[i+1]) {
				return 0, 0, false
			}
			return i + 1, w, true
		case c == '\\' && quote == '\'' && i+1 < len(line) && line[i+1] == '\'':
			i++
			c = '\''
		case c == '\\' && quote == '"' && i+1 < len(line):
			if i+3 < len(line) && line[i+1] == 'x' && isHex(line[i+2]) && isHex(line[i+3]) {
				c = hexDigit(line[i+2])<<4 | hexDigit(line[i+3])
				i += 3
			} else {
				i++
				c = unescape(line[i])
			}
		}
		line[w] = c
		w++
	}
	return 0, 0, false
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	default:
		return c
	}
}

// isSpace is C's isspace in the C locale.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexDigit(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}

// appendHeader appends kind, n and a line end: the header of a multibulk ('*') or
// of a bulk ('$').
func appendHeader(dst []byte, kind byte, n int) []byte {
	dst = append(dst, kind)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '\r', '\n')
}
