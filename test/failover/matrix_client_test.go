package failover

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"steadis/test/workload/wire"
)

// patience is how long a client waits for something that must come. No outage here
// lasts half as long.
const patience = 10 * time.Second

// rawClient is a client that shows what it gets as it came, in RESP2 or RESP3. Frames
// are written in one line: "*2 :1 text" is an array of an integer and a bulk string;
// nulls stay apart: "$-1", "*-1", "_". A goroutine reads all the time, so that each
// frame has the time of its arrival. What fails, fails the stage. For one goroutine.
type rawClient struct {
	stage *stage
	conn  net.Conn
	ended chan struct{} // closed when read has ended
	news  chan struct{} // capacity 1: something has come

	mu      sync.Mutex // guards the fields below
	replies []frame
	pushes  []frame // RESP3's, without the confirmations of SUBSCRIBE and its kin
	doubts  int     // replies that were INDOUBT
	told    bool    // it was told to forget everything that it has cached
}

// frame is a reply or a push.
type frame struct {
	text string
	at   time.Time
}

func newRawClient(s *stage, conn net.Conn) *rawClient {
	c := &rawClient{stage: s, conn: conn, ended: make(chan struct{}), news: make(chan struct{}, 1)}
	go c.read()
	return c
}

// close hangs up and waits for the reader.
func (c *rawClient) close() {
	c.conn.Close()
	<-c.ended
}

func (c *rawClient) read() {
	defer close(c.ended)
	r := bufio.NewReader(c.conn)
	for {
		text, err := readFrame(r, 0)
		if err != nil {
			return
		}
		c.mu.Lock()
		f := frame{text, time.Now()}
		if isPush(text) {
			c.pushes = append(c.pushes, f)
		} else {
			c.replies = append(c.replies, f)
		}
		if strings.HasPrefix(text, "-INDOUBT") {
			c.doubts++
		}
		c.mu.Unlock()
		select {
		case c.news <- struct{}{}:
		default:
		}
	}
}

// isPush says whether a frame answers no command. In RESP3 the confirmations of
// SUBSCRIBE are pushes, although they answer one.
func isPush(text string) bool {
	words := strings.SplitN(text, " ", 3)
	return text[0] == '>' && !strings.HasSuffix(words[1], "subscribe")
}

// send sends one command.
func (c *rawClient) send(args ...string) { c.sendRaw(encode(args...)) }

// sendAll sends a pipeline in one write.
func (c *rawClient) sendAll(commands ...[]string) {
	var raw strings.Builder
	for _, args := range commands {
		raw.WriteString(encode(args...))
	}
	c.sendRaw(raw.String())
}

func (c *rawClient) sendRaw(raw string) {
	if _, err := io.WriteString(c.conn, raw); err != nil {
		c.stage.failf("sending %.60q: %v", raw, err)
	}
}

// next is the next reply.
func (c *rawClient) next() string { return c.arrived().text }

// arrived is the next reply with its time.
func (c *rawClient) arrived() frame {
	f, came := c.take(&c.replies, patience)
	if !came {
		c.stage.failf("no reply within %v, or hung up", patience)
	}
	c.skipFlushes(f.at)
	return f
}

// do sends one command and returns its reply.
func (c *rawClient) do(args ...string) string {
	c.send(args...)
	return c.next()
}

// want sends one command and wants this reply. One that ends in "..." need only begin
// so.
func (c *rawClient) want(reply string, args ...string) {
	if got := c.do(args...); !matches(reply, got) {
		c.stage.failf("%s: got %.200q, want %q", strings.Join(args, " "), got, reply)
	}
}

// expect wants these to be the next replies.
func (c *rawClient) expect(replies ...string) {
	for i, want := range replies {
		if got := c.next(); !matches(want, got) {
			c.stage.failf("reply %d of %d: got %.200q, want %q", i+1, len(replies), got, want)
		}
	}
}

// wantPush wants this to be the next push.
func (c *rawClient) wantPush(want string) {
	f, came := c.take(&c.pushes, patience)
	switch {
	case !came:
		c.stage.failf("no push within %v, want %q", patience, want)
	case matches(want, f.text):
		c.mu.Lock()
		c.told = c.told || want == flushed
		c.mu.Unlock()
	case strings.HasPrefix(want, ">2 invalidate *") && matches(flushed, f.text):
		// The connection was lost once more (a promotion kills those that came too early):
		// told to forget everything, the client forgets this key as well.
	default:
		c.stage.failf("pushed %q, want %q", f.text, want)
	}
}

// skipFlushes takes out what told the client once more to forget everything, up to a reply:
// the connection was lost again (see wantPush) before the command ran, which is cached, and
// tracked, all the same. Of a client that was told a first time only.
func (c *rawClient) skipFlushes(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told {
		c.pushes = slices.DeleteFunc(c.pushes, func(f frame) bool { return !f.at.After(until) && matches(flushed, f.text) })
	}
}

// silent wants nothing to have come that was not taken. It does not wait.
func (c *rawClient) silent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if all := slices.Concat(c.replies, c.pushes); len(all) > 0 {
		c.stage.failf("came unasked: %.200q", all[0].text)
	}
}

// wantClosed wants steadis to hang up with nothing more to read.
func (c *rawClient) wantClosed() {
	select {
	case <-c.ended:
		c.silent()
	case <-time.After(patience):
		c.stage.failf("the connection is still open after %v", patience)
	}
}

// take removes the oldest of a queue, waiting for it at most d.
func (c *rawClient) take(queue *[]frame, d time.Duration) (frame, bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for over := false; ; {
		c.mu.Lock()
		if len(*queue) > 0 {
			f := (*queue)[0]
			*queue = (*queue)[1:]
			c.mu.Unlock()
			return f, true
		}
		c.mu.Unlock()
		if over {
			return frame{}, false
		}
		select {
		case <-c.news:
		case <-c.ended:
			over = true // but what came before is still to be looked at
		case <-timer.C:
			over = true
		}
	}
}

// indoubt is how often the client was told INDOUBT.
func (c *rawClient) indoubt() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doubts
}

// matches says whether a frame is the wanted one, or begins like one that ends in "...".
func matches(want, got string) bool {
	if head, cut := strings.CutSuffix(want, "..."); cut {
		return strings.HasPrefix(got, head)
	}
	return got == want
}

// encode writes a command as an array of bulk strings.
func encode(args ...string) string {
	var raw strings.Builder
	fmt.Fprintf(&raw, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&raw, "$%d\r\n%s\r\n", len(a), a)
	}
	return raw.String()
}

// readFrame reads one RESP2 or RESP3 frame into one line.
func readFrame(r *bufio.Reader, depth int) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	if line = strings.TrimSuffix(line, "\r\n"); line == "" || depth > 8 {
		return "", fmt.Errorf("%w: line %q at depth %d", wire.ErrProtocol, line, depth)
	}
	switch line[0] {
	case '+', '-', ':', '_', ',', '#', '(':
		return line, nil
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil || n < -1 || n > 1<<20 {
		return "", fmt.Errorf("%w: %q", wire.ErrProtocol, line)
	}
	if n < 0 {
		return line, nil
	}
	switch line[0] {
	case '$', '=', '!':
		return readBulk(r, n)
	case '%', '|':
		n *= 2
	case '*', '~', '>':
	default:
		return "", fmt.Errorf("%w: %q", wire.ErrProtocol, line)
	}
	parts := []string{line}
	for range n {
		item, err := readFrame(r, depth+1)
		if err != nil {
			return "", err
		}
		parts = append(parts, item)
	}
	return strings.Join(parts, " "), nil
}

func readBulk(r *bufio.Reader, n int) (string, error) {
	body := make([]byte, n+2)
	if _, err := io.ReadFull(r, body); err != nil {
		return "", err
	}
	return string(body[:n]), nil
}
