package sentinel

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// guardedConn limits what a peer can make the Redis client do: go-redis
// allocates what a header announces and recurses into nested arrays, so that
// "$9223372036854775807\r\n" panics it and a few MB of "*1\r\n" overflow its
// stack. Only RESP2 passes, since nothing else was asked for.
type guardedConn struct {
	net.Conn
	scan replyScanner
}

// Read passes bytes on until one breaks a limit; then the connection is unusable.
func (c *guardedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if scanErr := c.scan.feed(p[:n]); scanErr != nil {
		return 0, fmt.Errorf("%s: %w", c.RemoteAddr(), scanErr)
	}
	return n, err
}

// Limits of one reply. SENTINEL SENTINELS of 32 peers is about 40 KB with 1,300
// elements; ROLE and Pub/Sub messages are far smaller.
const (
	maxReplyBulk     = 1 << 20
	maxReplyElements = 1 << 15
	maxReplyDepth    = 8
	maxReplyLine     = 1 << 12
)

var errBadReply = errors.New("reply breaks the limits for a Sentinel or ROLE reply; is this a Redis Sentinel?")

// replyScanner follows a stream of RESP2 replies without keeping any of it.
type replyScanner struct {
	skip     int    // bytes of a bulk string and its CRLF still to come
	line     []byte // the header under way, cut at maxReplyLine
	open     []int  // elements still to come of each open array
	elements int    // of this reply so far
	failed   bool
}

// feed takes the next bytes of the stream.
func (s *replyScanner) feed(p []byte) error {
	for len(p) > 0 && !s.failed {
		if s.skip > 0 {
			n := min(s.skip, len(p))
			s.skip -= n
			p = p[n:]
			if s.skip == 0 {
				s.done()
			}
			continue
		}
		if p[0] != '\n' {
			s.line = append(s.line, p[0])
			s.failed = len(s.line) > maxReplyLine
		} else {
			s.header()
			s.line = s.line[:0]
		}
		p = p[1:]
	}
	if s.failed {
		return errBadReply
	}
	return nil
}

// header takes a whole line, without its newline.
func (s *replyScanner) header() {
	if len(s.line) < 2 || s.line[len(s.line)-1] != '\r' {
		s.failed = true
		return
	}
	kind, text := s.line[0], string(s.line[1:len(s.line)-1])
	s.elements++
	if s.elements > maxReplyElements {
		s.failed = true
		return
	}
	switch kind {
	case '+', '-', ':':
		s.done()
	case '$', '*':
		n, err := strconv.Atoi(text)
		switch {
		case err != nil || n < -1 || kind == '$' && n > maxReplyBulk || kind == '*' && n > maxReplyElements:
			s.failed = true
		case n == -1 || kind == '*' && n == 0:
			s.done()
		case kind == '$':
			s.skip = n + 2
		case len(s.open) == maxReplyDepth:
			s.failed = true
		default:
			s.open = append(s.open, n)
		}
	default:
		s.failed = true
	}
}

// done ends one element and every array that it completes.
func (s *replyScanner) done() {
	for len(s.open) > 0 {
		last := len(s.open) - 1
		s.open[last]--
		if s.open[last] > 0 {
			return
		}
		s.open = s.open[:last]
	}
	s.elements = 0
}
