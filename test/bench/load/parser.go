package load

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// maxLine and maxDepth bound what a server may send before it is taken for broken.
const (
	maxLine  = 4096
	maxDepth = 8
)

// errProtocol says that a server did not speak RESP2.
var errProtocol = errors.New("not RESP2")

// parser counts the replies in a stream that comes in pieces. It keeps no payload,
// so a value of any size costs nothing.
type parser struct {
	line     []byte // an unfinished line
	skip     int    // bytes of a bulk string that are still to come
	open     []int  // elements still to come, of each array that has begun
	errors   int    // error replies, those within arrays too
	firstErr string
}

// feed takes the next bytes and gives the number of replies that ended in them.
func (p *parser) feed(b []byte) (replies int, err error) {
	for len(b) > 0 {
		if p.skip > 0 {
			n := min(p.skip, len(b))
			b = b[n:]
			if p.skip -= n; p.skip == 0 {
				replies += p.element()
			}
			continue
		}
		at := bytes.IndexByte(b, '\n')
		if at < 0 {
			if p.line = append(p.line, b...); len(p.line) > maxLine {
				return replies, fmt.Errorf("%w: a line of more than %d bytes", errProtocol, maxLine)
			}
			return replies, nil
		}
		line := b[:at+1]
		if len(p.line) > 0 {
			p.line = append(p.line, line...)
			line = p.line
		}
		b = b[at+1:]
		n, err := p.take(line)
		if err != nil {
			return replies, err
		}
		replies += n
		p.line = p.line[:0]
	}
	return replies, nil
}

// take interprets one line and gives the number of replies that it ends.
func (p *parser) take(line []byte) (int, error) {
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return 0, fmt.Errorf("%w: line %.40q", errProtocol, line)
	}
	text := line[1 : len(line)-2]
	switch line[0] {
	case '+', ':':
		return p.element(), nil
	case '-':
		if p.errors++; p.firstErr == "" {
			p.firstErr = string(text)
		}
		return p.element(), nil
	case '$', '*':
	default:
		return 0, fmt.Errorf("%w: line %.40q", errProtocol, line)
	}
	n, err := strconv.Atoi(string(text))
	switch {
	case err != nil || n < -1:
		return 0, fmt.Errorf("%w: line %.40q", errProtocol, line)
	case n == -1 || n == 0 && line[0] == '*':
		return p.element(), nil
	case line[0] == '$':
		p.skip = n + len("\r\n")
		return 0, nil
	case len(p.open) == maxDepth:
		return 0, fmt.Errorf("%w: arrays nested deeper than %d", errProtocol, maxDepth)
	}
	p.open = append(p.open, n)
	return 0, nil
}

// element notes that an element has ended, and with the last one its array. It
// gives 1 if a whole reply has ended, else 0.
func (p *parser) element() int {
	for len(p.open) > 0 {
		last := len(p.open) - 1
		if p.open[last]--; p.open[last] > 0 {
			return 0
		}
		p.open = p.open[:last]
	}
	return 1
}
