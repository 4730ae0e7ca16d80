package fake

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// readCommand reads one command, as an array of bulk strings or inline.
func readCommand(r *bufio.Reader) ([]string, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(line, "*") {
		return strings.Fields(line), nil
	}
	count, err := strconv.Atoi(line[1:])
	if err != nil || count > 1<<20 {
		return nil, protocolError("invalid multibulk length")
	}
	args := make([]string, 0, max(count, 0))
	for range count {
		head, err := readLine(r)
		if err != nil {
			return nil, err
		}
		size, err := strconv.Atoi(strings.TrimPrefix(head, "$"))
		if err != nil || head[0] != '$' || size < 0 || size > 512<<20 {
			return nil, protocolError("invalid bulk length")
		}
		body := make([]byte, size+2)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, err
		}
		args = append(args, string(body[:size]))
	}
	return args, nil
}

// protocolError is what Redis answers before it closes the connection.
type protocolError string

func (e protocolError) Error() string { return "ERR Protocol error: " + string(e) }

func readLine(r *bufio.Reader) (string, error) {
	s, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimRight(s, "\r\n"), nil
}

// A reply is RESP text, ready to be sent.
type reply string

const (
	replyOK    reply = "+OK\r\n"
	replyNil   reply = "$-1\r\n"
	replyNil3  reply = "_\r\n"
	replyNoArr reply = "*-1\r\n"
)

func status(s string) reply  { return reply("+" + s + "\r\n") }
func failure(s string) reply { return reply("-" + s + "\r\n") }
func integer(n int) reply    { return reply(fmt.Sprintf(":%d\r\n", n)) }
func bulk(s string) reply    { return reply(fmt.Sprintf("$%d\r\n%s\r\n", len(s), s)) }

// array joins replies.
func array(parts ...reply) reply {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(parts))
	for _, p := range parts {
		b.WriteString(string(p))
	}
	return reply(b.String())
}

// bulks is an array of bulk strings.
func bulks(ss ...string) reply {
	parts := make([]reply, len(ss))
	for i, s := range ss {
		parts[i] = bulk(s)
	}
	return array(parts...)
}
