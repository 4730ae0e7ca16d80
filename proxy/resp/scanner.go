package resp

import (
	"bytes"
	"errors"
	"fmt"
)

// MaxDepth is how deep aggregates may be nested in a reply. A script that returns a
// table which contains itself makes one that is nested some 8,000 deep, up to the
// limit of Lua's stack.
const MaxDepth = 1 << 16

// shallow is how many levels need no memory of their own.
const shallow = 32

// ErrMalformed is what every error of Scanner.Scan wraps: what came is no RESP, so
// where the next reply begins is not known and the connection is of no use.
var ErrMalformed = errors.New("malformed reply from Redis")

// Scanner finds where a reply ends, in RESP2 and RESP3, however its bytes arrive.
// A frame is one whole reply: an aggregate with all that is in it, an attribute
// with the reply that it precedes, a streamed string or aggregate to its end. A
// push is a frame of its own. The zero value is ready for use. It allocates
// nothing, reserves nothing for announced sizes and does not recurse. Not safe for
// concurrent use.
type Scanner struct {
	err   error
	at    place
	attr  bool  // the element just read was an attribute, which precedes another
	neg   bool  // the number under way: a minus has come
	kind  byte  // the type byte that it belongs to
	seen  uint8 // its digits so far
	num   int64 // its value so far; the bytes to come of a string's body
	depth int
	open  [shallow]aggregate
	deep  []aggregate // the levels beyond; kept only as long as they are needed
}

// place is what the next byte of a reply belongs to.
type place uint8

const (
	atType     place = iota // the type byte of a frame or element
	atChunk                 // the ';' of a piece of a streamed string
	inLine                  // a line, before its '\r'
	inLineEnd               // a line, after a '\r'
	inNumber                // a length, before its '\r'
	numberEnd               // the '\n' of a length
	inString                // the body of a string
	stringCR                // the '\r' after it
	stringLF                // the '\n' after it
	inStream                // the '\r' of a length that is '?'
	inStreamLF              // the '\n' of a length that is '?'
)

// aggregate is one that has begun and not ended.
type aggregate struct {
	left int64 // elements to come; streamed: how many have come, counted down from -1
	kind byte
}

// Reset makes the Scanner as new, for another connection.
func (s *Scanner) Reset() { *s = Scanner{} }

// Scan reads b up to the end of the current frame. The first n bytes of b belong
// to the frame; done says that it ends there, and then the next call begins with the
// next frame. An error wraps ErrMalformed and is returned for ever.
func (s *Scanner) Scan(b []byte) (n int, done bool, err error) {
	if s.err != nil {
		return 0, false, s.err
	}
	i := 0
	for i < len(b) {
		if s.at == atType {
			if next := simple(b, i); next > 0 {
				i = next
				if s.ended() {
					return i, true, nil
				}
				continue
			}
		}
		var ended bool
		i, ended = s.step(b, i)
		if s.err != nil {
			return i, false, s.err
		}
		if ended && s.ended() {
			return i, true, nil
		}
	}
	return i, false, nil
}

// nullBulk is what RESP2 answers where there is nothing.
const nullBulk = "$-1\r\n"

// simple is the way for most replies: it returns the end of a line or a bulk string
// at b[i:] that is there whole, else 0.
func simple(b []byte, i int) (end int) {
	switch b[i] {
	case '+', '-', ':', '_', ',', '#', '(':
		k := bytes.IndexByte(b[i+1:], '\r') + i + 1
		if k > i && k+1 < len(b) && b[k+1] == '\n' {
			return k + 2
		}
	case '$':
		if n, body := canonicalNumber(b, i+1); body > 0 && n <= len(b)-body-2 {
			if end := body + n; b[end] == '\r' && b[end+1] == '\n' {
				return end + 2
			}
		} else if len(b)-i >= len(nullBulk) && string(b[i:i+len(nullBulk)]) == nullBulk {
			return i + len(nullBulk)
		}
	}
	return 0
}

// step reads some of b[i:] by the place where the Scanner is. ended says that an
// element, or a frame that has none, ended at next.
func (s *Scanner) step(b []byte, i int) (next int, ended bool) {
	c := b[i]
	switch s.at {
	case atType:
		return i + 1, s.begin(c)
	case atChunk:
		if c != ';' {
			s.fail("expected ';' of a streamed string, got %q", c)
		}
		s.number(c)
	case inLine:
		if k := bytes.IndexByte(b[i:], '\r'); k >= 0 {
			s.at = inLineEnd
			return i + k + 1, false
		}
		return len(b), false
	case inLineEnd:
		return i + 1, s.lineEnd(c)
	case inNumber:
		s.digit(c)
	case numberEnd:
		return i + 1, s.expect(c, '\n') && s.size()
	case inString:
		n := min(s.num, int64(len(b)-i))
		s.num -= n
		if s.num == 0 {
			s.at = stringCR
		}
		return i + int(n), false
	case stringCR:
		s.expect(c, '\r')
		s.at = stringLF
	case stringLF:
		return i + 1, s.expect(c, '\n') && s.stringEnd()
	case inStream:
		s.expect(c, '\r')
		s.at = inStreamLF
	case inStreamLF:
		return i + 1, s.expect(c, '\n') && s.stream()
	}
	return i + 1, false
}

// begin reads a type byte.
func (s *Scanner) begin(c byte) (ended bool) {
	switch c {
	case '+', '-', ':', '_', ',', '#', '(':
		s.at, s.kind = inLine, c
	case '$', '!', '=', '*', '%', '~', '>', '|':
		s.number(c)
	case '.':
		if !s.streamMayEnd() {
			s.fail("unexpected end of a stream %q", c)
		}
		s.at, s.kind = stringCR, c
	default:
		s.fail("unknown type byte %q", c)
	}
	return false
}

// lineEnd reads the byte after a '\r' in a line. A '\r' alone belongs to the line.
func (s *Scanner) lineEnd(c byte) (ended bool) {
	switch c {
	case '\n':
		s.at = atType
		return true
	case '\r':
	default:
		s.at = inLine
	}
	return false
}

// number begins a length that belongs to the type byte c.
func (s *Scanner) number(c byte) {
	s.at, s.kind, s.neg, s.seen, s.num = inNumber, c, false, 0, 0
}

// digit reads a byte of a length: digits without leading zero, and where it is
// allowed -1 or '?'.
func (s *Scanner) digit(c byte) {
	const mostDigits = 18 // cannot overflow
	switch {
	case s.neg && s.seen == 0:
		if c != '1' {
			s.fail("negative length of %q", s.kind)
		}
		s.seen++
	case c >= '0' && c <= '9' && !s.neg && s.seen < mostDigits && (s.seen == 0 || s.num > 0):
		s.num = s.num*10 + int64(c-'0')
		s.seen++
	case c == '\r' && s.seen > 0:
		s.at = numberEnd
	case c == '-' && s.seen == 0 && (s.kind == '$' || s.kind == '*'):
		s.neg = true
	case c == '?' && s.seen == 0 && s.mayStream():
		s.at = inStream
	default:
		s.fail("bad length of %q", s.kind)
	}
}

// size acts on a length that is complete.
func (s *Scanner) size() (ended bool) {
	if s.neg { // -1: a null
		s.at = atType
		return true
	}
	switch s.kind {
	case '$', '!', '=':
		s.at = inString
		if s.num == 0 {
			s.at = stringCR
		}
		return false
	case ';':
		s.at = inString
		if s.num == 0 {
			s.at = atType
			return true
		}
		return false
	case '%', '|':
		return s.push(2 * s.num)
	default:
		return s.push(s.num)
	}
}

// stringEnd acts on the end of a string, of a piece of a streamed one, or of the
// '.' that ends a streamed aggregate.
func (s *Scanner) stringEnd() (ended bool) {
	switch s.kind {
	case ';':
		s.at = atChunk
		return false
	case '.':
		s.pop() // what ends is the aggregate, not an element of it
	}
	s.at = atType
	return true
}

// mayStream says whether the type under way may have '?' for a length.
func (s *Scanner) mayStream() bool {
	return s.kind == '$' || s.kind == '*' || s.kind == '~' || s.kind == '%'
}

// stream begins a streamed string or aggregate.
func (s *Scanner) stream() (ended bool) {
	if s.kind == '$' {
		s.at = atChunk
		return false
	}
	s.push(-1)
	return false
}

// streamMayEnd says whether the end of a streamed aggregate may come here: in one,
// not after an attribute, and not between a key and its value.
func (s *Scanner) streamMayEnd() bool {
	if s.depth == 0 {
		return false
	}
	top := s.top()
	return top.left < 0 && (top.kind != '%' || top.left%2 != 0) && !s.attr
}

// push begins an aggregate of n elements, or -1 if it is streamed. One without
// elements ends at once.
func (s *Scanner) push(n int64) (ended bool) {
	s.at = atType
	if n == 0 {
		s.attr = s.kind == '|'
		return !s.attr
	}
	if s.depth == MaxDepth {
		s.fail("aggregates nested deeper than %d", MaxDepth)
		return false
	}
	if a := (aggregate{left: n, kind: s.kind}); s.depth < shallow {
		s.open[s.depth] = a
	} else {
		s.deep = append(s.deep, a)
	}
	s.depth++
	return false
}

// top is the innermost aggregate under way; there must be one.
func (s *Scanner) top() *aggregate {
	if s.depth <= shallow {
		return &s.open[s.depth-1]
	}
	return &s.deep[s.depth-1-shallow]
}

// pop ends the innermost aggregate.
func (s *Scanner) pop() {
	s.depth--
	if s.depth > shallow {
		s.deep = s.deep[:s.depth-shallow]
	} else if s.deep != nil {
		s.deep = nil
	}
}

// ended counts an element that ended, and the aggregates that end with it. It says
// whether the frame ended too. An attribute ends without being an element of what
// it stands in.
func (s *Scanner) ended() (done bool) {
	s.attr = false
	for s.depth > 0 {
		top := s.top()
		top.left--
		if top.left != 0 {
			return false
		}
		kind := top.kind
		s.pop()
		if kind == '|' {
			s.attr = true
			return false
		}
	}
	return true
}

// expect checks one byte of a line end.
func (s *Scanner) expect(c, want byte) bool {
	if c != want {
		s.fail("expected a line end, got %q", c)
	}
	return c == want
}

// fail breaks the Scanner.
func (s *Scanner) fail(format string, args ...any) {
	s.err = fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
