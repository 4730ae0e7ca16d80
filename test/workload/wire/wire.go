// Package wire is a small RESP2 client for tests and drills. It does nothing by
// itself: no retries, no hidden reconnect, no pool. What it was told to send it
// sends once, and what comes back it hands over, so that what a test sees is
// what the server did. It shares no code with steadis, which it judges.
package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Limits on what a server may announce, so that a broken one costs an error and
// not the memory of the test.
const (
	maxBulk  = 64 << 20
	maxArray = 16 << 20
	maxDepth = 8
)

// ErrProtocol is wrapped by every error about bytes that are not RESP2.
var ErrProtocol = errors.New("not RESP2")

// Error is an error reply ("-LOADING ..."), without the leading minus.
type Error string

// Error gives the text as the server sent it.
func (e Error) Error() string { return string(e) }

// Prefix gives the first word, which is the class of the error ("LOADING").
func (e Error) Prefix() string {
	prefix, _, _ := strings.Cut(string(e), " ")
	return prefix
}

// Conn is one connection. It is for one goroutine at a time, except that one
// may Append and Flush while another one Receives, and that Close may be called
// at any time.
type Conn struct {
	net net.Conn
	r   *bufio.Reader
	out []byte
}

// Dial connects to addr (host:port). It sends nothing.
func Dial(ctx context.Context, addr string) (*Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return New(c), nil
}

// New makes a Conn of a connection that is open already and now belongs to it.
func New(c net.Conn) *Conn {
	return &Conn{net: c, r: bufio.NewReaderSize(c, 16<<10)}
}

// Close closes the connection and ends a Flush or Receive that waits.
func (c *Conn) Close() error { return c.net.Close() }

// LocalAddr is the address that the server sees in CLIENT LIST.
func (c *Conn) LocalAddr() string { return c.net.LocalAddr().String() }

// SetDeadline bounds everything that waits now or later; zero means no bound.
// It may be called at any time.
func (c *Conn) SetDeadline(t time.Time) error { return c.net.SetDeadline(t) }

// Append adds a command to what the next Flush sends.
func (c *Conn) Append(args ...string) {
	c.out = append(c.out, '*')
	c.out = strconv.AppendInt(c.out, int64(len(args)), 10)
	c.out = append(c.out, "\r\n"...)
	for _, a := range args {
		c.out = append(c.out, '$')
		c.out = strconv.AppendInt(c.out, int64(len(a)), 10)
		c.out = append(c.out, "\r\n"...)
		c.out = append(c.out, a...)
		c.out = append(c.out, "\r\n"...)
	}
}

// Flush sends what was appended, in one write. After an error it is unknown how
// much of it arrived.
func (c *Conn) Flush() error {
	_, err := c.net.Write(c.out)
	c.out = c.out[:0]
	return err
}

// Receive waits for the next reply: string (simple or bulk), int64, nil, []any
// or Error (as a value, since an error reply is an answer too). An error means
// that the connection is of no more use.
func (c *Conn) Receive() (any, error) { return c.receive(0) }

// Do sends one command and waits for its reply until ctx ends. An error reply is
// returned as an error of type Error; after any other error the connection is
// of no more use.
func (c *Conn) Do(ctx context.Context, args ...string) (any, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.net.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c.Append(args...)
	err := c.Flush()
	var reply any
	if err == nil {
		reply, err = c.Receive()
	}
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if e, refused := reply.(Error); refused {
		return nil, e
	}
	return reply, nil
}

func (c *Conn) receive(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: arrays nested deeper than %d", ErrProtocol, maxDepth)
	}
	line, err := c.line()
	if err != nil {
		return nil, err
	}
	if line == "" {
		return nil, fmt.Errorf("%w: empty line", ErrProtocol)
	}
	switch rest := line[1:]; line[0] {
	case '+':
		return rest, nil
	case '-':
		return Error(rest), nil
	case ':':
		n, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: integer %q", ErrProtocol, rest)
		}
		return n, nil
	case '$':
		return c.bulk(rest)
	case '*':
		return c.array(rest, depth)
	default:
		return nil, fmt.Errorf("%w: line %.40q", ErrProtocol, line)
	}
}

func (c *Conn) line() (string, error) {
	raw, err := c.r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	if len(raw) < 2 || raw[len(raw)-2] != '\r' {
		return "", fmt.Errorf("%w: line without CR", ErrProtocol)
	}
	return string(raw[:len(raw)-2]), nil
}

func (c *Conn) bulk(header string) (any, error) {
	n, err := strconv.Atoi(header)
	if err != nil || n < -1 || n > maxBulk {
		return nil, fmt.Errorf("%w: bulk length %q", ErrProtocol, header)
	}
	if n == -1 {
		return nil, nil
	}
	body := make([]byte, n+2)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return nil, err
	}
	if string(body[n:]) != "\r\n" {
		return nil, fmt.Errorf("%w: bulk of %d bytes without CRLF", ErrProtocol, n)
	}
	return string(body[:n]), nil
}

func (c *Conn) array(header string, depth int) (any, error) {
	n, err := strconv.Atoi(header)
	if err != nil || n < -1 || n > maxArray {
		return nil, fmt.Errorf("%w: array length %q", ErrProtocol, header)
	}
	if n == -1 {
		return nil, nil
	}
	items := make([]any, 0, min(n, 4096))
	for range n {
		item, err := c.receive(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// Strings turns an array reply into its strings; nil elements and elements of
// another type become their fmt.Sprint form. It is nil for anything but an array.
func Strings(reply any) []string {
	items, isArray := reply.([]any)
	if !isArray {
		return nil
	}
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = fmt.Sprint(item)
	}
	return out
}

// Pairs turns a flat array of names and values, as SENTINEL MASTER answers, into
// a map. An odd last name is left out.
func Pairs(reply any) map[string]string {
	flat := Strings(reply)
	m := make(map[string]string, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		m[flat[i]] = flat[i+1]
	}
	return m
}
