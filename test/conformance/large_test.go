package conformance

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"testing"
	"time"
)

const mb = 1 << 20

// large is a request made on the fly and how many bytes its replies have.
type large struct {
	name    string
	write   func(w io.Writer) error
	replies int // bytes
}

// budget is how long the replies to one of them may take.
const budget = time.Minute

// TestLarge sends large values and long pipelines to both sides, compares what
// comes back by its length and hash, and the data.
func TestLarge(t *testing.T) {
	p := servers(t)
	value := bytes.Repeat([]byte("0123456789abcde\n"), 100*mb/16)
	bulk := func(n int) int { return len(fmt.Sprintf("$%d\r\n", n)) + n + 2 }
	for _, tt := range []large{
		{"SET and GET of 100 MB", func(w io.Writer) error {
			return send(w, head("SET", "big", value), value, []byte("\r\n"), encode("GET", "big"), encode("STRLEN", "big"))
		}, len("+OK\r\n") + bulk(len(value)) + len(fmt.Sprintf(":%d\r\n", len(value)))},
		{"APPEND of 100 MB, twice", func(w io.Writer) error {
			h := head("APPEND", "big", value)
			return send(w, h, value, []byte("\r\n"), h, value, []byte("\r\n"), encode("GETRANGE", "big", "104857590", "104857610"))
		}, len(":104857600\r\n:209715200\r\n") + bulk(21)},
		{"100 MB inside MULTI", func(w io.Writer) error {
			return send(w, encode("MULTI"), head("SET", "big", value), value, []byte("\r\n"), encode("GET", "big"), encode("EXEC"))
		}, len("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n") + bulk(len(value))},
		{"ECHO of 100 MB", func(w io.Writer) error {
			return send(w, head("ECHO", "", value), value, []byte("\r\n"))
		}, bulk(len(value))},
		{"10,000 commands in one write", func(w io.Writer) error {
			var all []byte
			for i := range 10_000 {
				all = append(all, encode("RPUSH", "many", fmt.Sprint(i))...)
			}
			return send(w, all, encode("LRANGE", "many", "0", "-1"), encode("ECHO", "done"))
		}, integers(10_000) + len("*10000\r\n") + words5(10_000) + bulk(4)},
		{"a command of 100,000 arguments", func(w io.Writer) error {
			args := []string{"RPUSH", "many"}
			for i := range 99_998 {
				args = append(args, fmt.Sprint(i))
			}
			return send(w, encode(args...), encode("LLEN", "many"))
		}, 2 * len(":99998\r\n")},
		{"a value of 4 MB, 20 times", func(w io.Writer) error {
			part := value[:4*mb]
			var all [][]byte
			for range 20 {
				all = append(all, head("SET", "big", part), part, []byte("\r\n"), encode("GET", "big"))
			}
			return send(w, all...)
		}, 20 * (len("+OK\r\n") + bulk(4*mb))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := p.reset(); err != nil {
				t.Fatal(err)
			}
			want := stream(t, p.direct.Nodes[0].Addr(), tt)
			got := stream(t, p.front, tt)
			if want != got {
				t.Errorf("direct %s, steadis %s", want, got)
			}
			a, b, err := p.digests()
			if err != nil || a != b {
				t.Errorf("the data differ: %s, %s, %v", a, b, err)
			}
		})
	}
	if err := p.reset(); err != nil { // 100 MB are not to be kept
		t.Fatal(err)
	}
}

// send writes the request, and tells sent how that ended.
func (l large) send(w io.Writer, sent chan<- error) { sent <- l.write(w) }

// head is a command up to its last argument, which follows.
func head(name, key string, value []byte) []byte {
	if key == "" {
		return fmt.Appendf(nil, "*2\r\n$%d\r\n%s\r\n$%d\r\n", len(name), name, len(value))
	}
	return fmt.Appendf(nil, "*3\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n$%d\r\n", len(name), name, len(key), key, len(value))
}

func send(w io.Writer, parts ...[]byte) error {
	for _, part := range parts {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// integers is the length of the replies :1 to :n; words5 that of the bulks 0 to n-1.
func integers(n int) (total int) {
	for i := 1; i <= n; i++ {
		total += len(fmt.Sprintf(":%d\r\n", i))
	}
	return total
}

func words5(n int) (total int) {
	for i := range n {
		s := fmt.Sprint(i)
		total += len(fmt.Sprintf("$%d\r\n%s\r\n", len(s), s))
	}
	return total
}

// stream sends a request and describes what comes back: as much as there should
// be, and whatever else comes at once.
func stream(t *testing.T, addr string, l large) string {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	sent := make(chan error, 1)
	go l.send(nc, sent)
	sum, total := fnv.New64a(), 0
	buf := make([]byte, 1*mb)
	deadline := time.Now().Add(budget)
	end := "open"
	for {
		if total >= l.replies {
			deadline = time.Now().Add(10 * time.Millisecond)
		}
		nc.SetReadDeadline(deadline)
		n, err := nc.Read(buf)
		sum.Write(buf[:n])
		total += n
		if err != nil {
			if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
				end = err.Error()
			}
			break
		}
	}
	nc.Close()
	if err := <-sent; err != nil {
		end += ", " + "not all was taken"
	}
	if total != l.replies {
		end += fmt.Sprintf(" (%d bytes should come)", l.replies)
	}
	return fmt.Sprintf("%d bytes, hash %x, %s", total, sum.Sum64(), end)
}
