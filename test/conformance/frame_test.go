package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// node is a reply, read. It keeps everything but how its numbers were written
// ("$-1" and "*-1" and "_" stay different).
type node struct {
	kind  byte // the type byte: + - : $ * _ , # ! = ( % ~ > |
	text  string
	null  bool // $-1 or *-1
	items []node
}

var errFrame = errors.New("not RESP")

const maxDepth = 64

// cut gives the length of the first whole frame in buf, or 0 if it is not whole
// yet. An error means that buf does not begin with RESP. An attribute is a frame
// of its own.
func cut(buf []byte) (int, error) { return cutDeep(buf, 0) }

func cutDeep(buf []byte, depth int) (int, error) {
	if depth > maxDepth {
		return 0, fmt.Errorf("%w: nested deeper than %d", errFrame, maxDepth)
	}
	if len(buf) == 0 {
		return 0, nil
	}
	end := bytes.Index(buf, []byte("\r\n"))
	if !strings.ContainsRune("+-:$*_,#!=(%~>|", rune(buf[0])) {
		return 0, fmt.Errorf("%w: type byte %q", errFrame, buf[0])
	}
	if end < 0 {
		return 0, nil
	}
	n := end + 2
	switch buf[0] {
	case '$', '!', '=':
		size, err := strconv.Atoi(string(buf[1:end]))
		if err != nil || size < -1 {
			return 0, fmt.Errorf("%w: length %q", errFrame, buf[1:end])
		}
		if size < 0 {
			return n, nil
		}
		if size > len(buf) || len(buf) < n+size+2 {
			return 0, nil
		}
		if string(buf[n+size:n+size+2]) != "\r\n" {
			return 0, fmt.Errorf("%w: no CRLF behind %d bytes", errFrame, size)
		}
		return n + size + 2, nil
	case '*', '%', '~', '>', '|':
		count, err := strconv.Atoi(string(buf[1:end]))
		if err != nil || count < -1 {
			return 0, fmt.Errorf("%w: count %q", errFrame, buf[1:end])
		}
		if count = min(count, 1<<30); buf[0] == '%' || buf[0] == '|' { // more is not whole in any case
			count *= 2
		}
		for range count {
			k, err := cutDeep(buf[n:], depth+1)
			if k == 0 || err != nil {
				return 0, err
			}
			n += k
		}
	}
	return n, nil
}

// parse reads a frame that cut has found whole.
func parse(frame []byte) node {
	nd, _ := parseAt(frame)
	return nd
}

func parseAt(buf []byte) (node, int) {
	end := bytes.Index(buf, []byte("\r\n"))
	nd := node{kind: buf[0], text: string(buf[1:end])}
	n := end + 2
	switch nd.kind {
	case '$', '!', '=':
		size, _ := strconv.Atoi(nd.text)
		if nd.null = size < 0; nd.null {
			nd.text = ""
			return nd, n
		}
		nd.text = string(buf[n : n+size])
		return nd, n + size + 2
	case '*', '%', '~', '>', '|':
		count, _ := strconv.Atoi(nd.text)
		nd.null, nd.text = count < 0, ""
		if nd.kind == '%' || nd.kind == '|' {
			count *= 2
		}
		for range count {
			item, k := parseAt(buf[n:])
			nd.items = append(nd.items, item)
			n += k
		}
	}
	return nd, n
}

// render writes a node as Redis would.
func (nd node) render() string {
	var b strings.Builder
	nd.write(&b)
	return b.String()
}

func (nd node) write(b *strings.Builder) {
	b.WriteByte(nd.kind)
	switch nd.kind {
	case '$', '!', '=':
		if nd.null {
			b.WriteString("-1\r\n")
			return
		}
		fmt.Fprintf(b, "%d\r\n%s\r\n", len(nd.text), nd.text)
	case '*', '%', '~', '>', '|':
		count := len(nd.items)
		switch {
		case nd.null:
			count = -1
		case nd.kind == '%' || nd.kind == '|':
			count /= 2
		}
		fmt.Fprintf(b, "%d\r\n", count)
		for _, item := range nd.items {
			item.write(b)
		}
	default:
		b.WriteString(nd.text)
		b.WriteString("\r\n")
	}
}

// aggregate says whether the node has items.
func (nd node) aggregate() bool { return strings.IndexByte("*%~>|", nd.kind) >= 0 }

// word is the text of the item at i, or "".
func (nd node) word(i int) string {
	if i >= len(nd.items) {
		return ""
	}
	return nd.items[i].text
}

// encode writes a command as an array of bulk strings.
func encode(args ...string) []byte {
	out := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		out = fmt.Appendf(out, "$%d\r\n", len(a))
		out = append(append(out, a...), "\r\n"...)
	}
	return out
}

// encodeInline writes a command as a line, quoted where it must be (Redis 7.0
// sds.c sdssplitargs).
func encodeInline(args ...string) []byte {
	var out []byte
	for i, a := range args {
		if i > 0 {
			out = append(out, ' ')
		}
		if a != "" && !strings.ContainsFunc(a, mustQuote) {
			out = append(out, a...)
			continue
		}
		out = append(out, '"')
		for _, c := range []byte(a) {
			if c < ' ' || c > '~' || c == '"' || c == '\\' {
				out = fmt.Appendf(out, `\x%02x`, c)
			} else {
				out = append(out, c)
			}
		}
		out = append(out, '"')
	}
	return append(out, "\r\n"...)
}

func mustQuote(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\'' || r == '\\' }
