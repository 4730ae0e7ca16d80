package command

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"steadis/proxy/resp"
)

// What ParseServed takes at most. Redis 7.0 answers COMMAND with 240 commands, 370
// with the subcommands, in 90 KB.
const (
	maxServed      = 10_000   // commands and subcommands together
	maxServedFlags = 100      // of one command
	maxElements    = 100      // of one command
	maxServedBytes = 16 << 20 // of the reply
)

// The elements of one command in COMMAND's reply (Redis 7.0 server.c
// addReplyCommandInfo): name, arity, flags, first key, last key, step, since Redis
// 6.0 the ACL categories, and since 7.0 tips, key specifications and subcommands.
const (
	fewestElements    = 6
	subcommandElement = 9
)

// ErrServed is what every error of ParseServed wraps.
var ErrServed = errors.New("cannot read the reply to COMMAND")

// ParseServed reads frame, the whole reply to COMMAND in RESP2 or RESP3, of Redis
// since 2.8.13 and of Valkey. What it does not know in it is passed over. Every error
// wraps ErrServed: the reply is an error, is no reply to COMMAND, or is beyond any
// reasonable size. The result does not refer to frame.
func ParseServed(frame []byte) ([]Served, error) {
	p := &servedParser{rest: frame}
	switch {
	case len(frame) > maxServedBytes:
		p.fail("%d bytes", len(frame))
	case len(frame) > 0 && frame[0] == '-':
		p.fail("%q", firstLine(frame[1:]))
	}
	list := p.commands(true)
	if p.err == nil && len(p.rest) > 0 {
		p.fail("%d bytes too many", len(p.rest))
	}
	if p.err != nil {
		return nil, p.err
	}
	return list, nil
}

// servedParser reads elements from the front of rest. After the first error it gives
// nothing but zero values.
type servedParser struct {
	rest    []byte
	read    int // commands
	scanner resp.Scanner
	err     error
}

func (p *servedParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s", ErrServed, fmt.Sprintf(format, args...))
	}
	p.rest = nil
}

// commands reads a list of commands. Subcommands have none themselves.
func (p *servedParser) commands(withSubs bool) (list []Served) {
	for n := p.aggregate(maxServed); n > 0 && p.err == nil; n-- {
		elements := p.aggregate(maxElements)
		if elements == 0 {
			continue // a null: COMMAND INFO has it for what is unknown
		}
		if p.read++; p.read > maxServed {
			p.fail("more than %d commands", maxServed)
		}
		if s := p.command(elements, withSubs); p.err == nil {
			list = append(list, s)
		}
	}
	return list
}

// command reads the elements of one command.
func (p *servedParser) command(elements int, withSubs bool) (s Served) {
	if elements < fewestElements {
		p.fail("a command with %d elements", elements)
		return s
	}
	s.Name = strings.ToLower(p.text())
	s.Arity = p.integer()
	for n := p.aggregate(maxServedFlags); n > 0 && p.err == nil; n-- {
		s.Flags = append(s.Flags, p.text())
	}
	for k := 3; k < elements && p.err == nil; k++ {
		if k == subcommandElement && withSubs {
			s.Subcommands = p.commands(false)
		} else {
			p.skip()
		}
	}
	return s
}

// line reads up to the end of a line.
func (p *servedParser) line() []byte {
	end := bytes.Index(p.rest, []byte("\r\n"))
	if end < 0 {
		p.fail("it ends too early")
		return nil
	}
	line := p.rest[:end]
	p.rest = p.rest[end+2:]
	return line
}

// number reads a line that is a type byte of types and a number.
func (p *servedParser) number(types string) int {
	line := p.line()
	if len(line) < 2 || strings.IndexByte(types, line[0]) < 0 {
		p.fail("%q where one of %s is expected", line[:min(len(line), 20)], types)
		return 0
	}
	n, err := strconv.ParseInt(string(line[1:min(len(line), 20)]), 10, 32)
	if err != nil || len(line) > 20 {
		p.fail("%q is no number", line[:min(len(line), 20)])
		return 0
	}
	return int(n)
}

func (p *servedParser) integer() int { return p.number(":") }

// aggregate reads the head of an array or set of at most so many elements. A null
// has none.
func (p *servedParser) aggregate(most int) int {
	if len(p.rest) > 0 && p.rest[0] == '_' {
		p.line()
		return 0
	}
	n := p.number("*~")
	if n < -1 || n > most {
		p.fail("an array of %d elements", n)
	}
	if p.err != nil {
		return 0
	}
	return max(n, 0)
}

// text reads a string.
func (p *servedParser) text() string {
	if len(p.rest) > 0 && p.rest[0] == '+' {
		return strings.TrimPrefix(string(p.line()), "+")
	}
	n := p.number("$")
	if p.err == nil && (n < 0 || n > len(p.rest)-2 || string(p.rest[n:n+2]) != "\r\n") {
		p.fail("a string of %d bytes that is not there", n)
	}
	if p.err != nil {
		return ""
	}
	text := string(p.rest[:n])
	p.rest = p.rest[n+2:]
	return text
}

// skip passes over one element of any kind.
func (p *servedParser) skip() {
	n, whole, err := p.scanner.Scan(p.rest)
	switch {
	case err != nil:
		p.fail("%v", err)
	case !whole:
		p.fail("it ends too early")
	default:
		p.rest = p.rest[n:]
	}
}

// firstLine gives the beginning of an error's text.
func firstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(text, []byte("\r"))
	return line[:min(len(line), 200)]
}
