package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

// big is larger than what is kept.
const big = 64 << 20

// pattern is a reader of n bytes that are not all alike.
func pattern(n int) io.Reader {
	unit := bytes.Repeat([]byte("steadis carries it. "), 1<<10)
	return io.LimitReader(io.MultiReader(bytes.NewReader(unit), cycle{unit}), int64(n))
}

// cycle repeats its bytes for ever, each time a little further on.
type cycle struct{ unit []byte }

func (c cycle) Read(p []byte) (int, error) { return copy(p, c.unit[len(p)%7:]), nil }

func sum(r io.Reader) string {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// sendBig sends a command whose last argument are n bytes of the pattern.
func (k *talk) sendBig(n int, words ...string) error {
	var head strings.Builder
	fmt.Fprintf(&head, "*%d\r\n", len(words)+1)
	for _, w := range words {
		fmt.Fprintf(&head, "$%d\r\n%s\r\n", len(w), w)
	}
	fmt.Fprintf(&head, "$%d\r\n", n)
	_, err := io.Copy(k.nc, io.MultiReader(strings.NewReader(head.String()), pattern(n), strings.NewReader("\r\n")))
	return err
}

// bulk reads a bulk reply and returns its length and hash.
func bulk(br *bufio.Reader) (n int, hash string, err error) {
	line, err := br.ReadString('\n')
	if err != nil {
		return 0, "", err
	}
	if _, err := fmt.Sscanf(line, "$%d\r\n", &n); err != nil {
		return 0, "", fmt.Errorf("%q", line)
	}
	h := sha256.New()
	if _, err := io.CopyN(h, br, int64(n)); err != nil {
		return n, "", err
	}
	_, err = br.Discard(2)
	return n, fmt.Sprintf("%x", h.Sum(nil)), err
}

// TestLargeValues: they arrive as they were sent, between other commands of the same
// client, and again; and steadis has not kept them.
func TestLargeValues(t *testing.T) {
	want := sum(pattern(big))
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, redis)
	k := newTalk(t, front)
	k.nc.SetDeadline(time.Now().Add(time.Minute))
	br := bufio.NewReader(k.nc)
	peak := watchHeap(t)
	for round := range 3 {
		go func() {
			k.send(wire("INCR n"))
			_ = k.sendBig(big, "SET", "k")
			k.send(wire("ECHO mid", "GET k", "ECHO end"))
		}()
		for _, line := range []string{fmt.Sprintf(":%d\r\n", round+1), "+OK\r\n", "$3\r\n", "mid\r\n"} {
			if got, err := br.ReadString('\n'); got != line {
				t.Fatalf("round %d: got %q (%v), want %q", round, got, err, line)
			}
		}
		if n, hash, err := bulk(br); err != nil || n != big || hash != want {
			t.Fatalf("round %d: %d bytes, the same: %v, %v", round, n, hash == want, err)
		}
		for _, line := range []string{"$3\r\n", "end\r\n"} {
			if got, err := br.ReadString('\n'); got != line {
				t.Fatalf("round %d: got %q (%v), want %q", round, got, err, line)
			}
		}
	}
	if got := peak(); got > big/4 {
		t.Errorf("%d bytes of memory for values of %d", got, big)
	}
}

// watchHeap returns a function that says how many bytes what is in use of the heap has grown
// by at most since. What waits for the collector does not count: how much that is depends on
// what else the machine has to do.
func watchHeap(t *testing.T) func() int64 {
	t.Helper()
	before := heapAfterGC()
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		peak := int64(0)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
				metrics.Read(live)
				peak = max(peak, int64(live[0].Value.Uint64()))
			case <-stop:
				most <- peak - before
				return
			}
		}
	}()
	return func() int64 { close(stop); return <-most }
}

// TestLargeValueInMulti: it is queued, and the transaction runs.
func TestLargeValueInMulti(t *testing.T) {
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, redis)
	k := newTalk(t, front)
	k.want("MULTI", "+OK")
	if err := k.sendBig(big, "SET", "k"); err != nil {
		t.Fatal(err)
	}
	k.want("STRLEN k", "+QUEUED\r\n+QUEUED\r\n")
	k.want("EXEC", fmt.Sprintf("*2\r\n+OK\r\n:%d\r\n", big))
}

// TestLargeArgumentOfACommandThatIsRefused: the rest is read and dropped, and the
// connection goes on.
func TestLargeArgumentOfACommandThatIsRefused(t *testing.T) {
	redis := realRedis(t)
	front, _, publish := inFront(t, proxy.Options{Hold: 300 * time.Millisecond}, redis)
	k := newTalk(t, front)
	for _, tt := range []struct{ name, want string }{
		{"NOSUCHCOMMAND", "-ERR unknown command"},
		{"LPUSH", ":1\r\n"},
	} {
		if err := k.sendBig(big, tt.name, "l"); err != nil {
			t.Fatal(err)
		}
		k.want("ECHO x", tt.want)
	}
	publish(topology.Holding, redis)
	if err := k.sendBig(big, "SET", "k"); err != nil {
		t.Fatal(err)
	}
	if got, _ := k.take(8, 10*time.Second); string(got) != "-LOADING" {
		t.Fatalf("held for longer than hold: %q", got)
	}
	k.take(1<<20, quiet)
	publish(topology.Serving, redis)
	k.want("EXISTS k", ":0\r\n")
}

// TestLargeArgumentAndAMasterThatIsLost: half of it is there when the master goes. It has
// not run, the client is told so, and the connection goes on at the new one.
func TestLargeArgumentAndAMasterThatIsLost(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	k := newTalk(t, front)
	k.want("SET k small", "+OK")
	k.send(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", big))
	if _, err := io.Copy(k.nc, pattern(big/2)); err != nil {
		t.Fatal(err)
	}
	publish(topology.Serving, b)
	if got, _ := k.take(8, 10*time.Second); string(got) != "-LOADING" {
		t.Fatalf("got %q", got)
	}
	k.take(1<<20, quiet)
	if _, err := io.Copy(k.nc, io.MultiReader(pattern(big-big/2), strings.NewReader("\r\n"))); err != nil {
		t.Fatal(err)
	}
	k.want("EXISTS k", ":0\r\n")
}

// TestLargeValueHeld: what has not been begun waits for the master and runs there.
func TestLargeValueHeld(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	k := newTalk(t, front)
	k.want("SET k small", "+OK")
	publish(topology.Holding, a)
	sent := make(chan error, 1)
	go func() { sent <- k.sendBig(big, "SET", "k") }()
	if got, _ := k.take(1, 300*time.Millisecond); len(got) > 0 {
		t.Fatalf("answered %q while commands are held", got)
	}
	publish(topology.Serving, b)
	if got, _ := k.take(5, 10*time.Second); string(got) != "+OK\r\n" {
		t.Fatalf("got %q", got)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	newTalk(t, b).want("STRLEN k", fmt.Sprintf(":%d\r\n", big))
}

// TestLargeReplyForASlowClient: nobody waits for it, and it gets all in the end.
func TestLargeReplyForASlowClient(t *testing.T) {
	want := sum(pattern(big))
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{Upstream: proxy.UpstreamOptions{Connections: 1}, Limits: proxy.Limits{Output: 8 << 20}}, redis)
	slow, other := newTalk(t, front), newTalk(t, front)
	if err := slow.sendBig(big, "SET", "k"); err != nil {
		t.Fatal(err)
	}
	if got, _ := slow.take(5, 10*time.Second); string(got) != "+OK\r\n" {
		t.Fatalf("%q", got)
	}
	slow.send(wire("GET k"))
	for range 20 {
		other.want("ECHO x", "$1\r\nx\r\n")
	}
	br := bufio.NewReader(slow.nc)
	slow.nc.SetReadDeadline(time.Now().Add(time.Minute))
	if n, hash, err := bulk(br); err != nil || n != big || hash != want {
		t.Fatalf("%d bytes, the same: %v, %v", n, hash == want, err)
	}
	slow.want("ECHO y", "$1\r\ny\r\n")
}

// TestLargeReplyOfAMasterThatIsLost: a client that has half of a reply cannot be
// given another one.
func TestLargeReplyOfAMasterThatIsLost(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	k := newTalk(t, front)
	if err := k.sendBig(big, "SET", "k"); err != nil {
		t.Fatal(err)
	}
	if got, _ := k.take(5, 10*time.Second); string(got) != "+OK\r\n" {
		t.Fatalf("%q", got)
	}
	k.send(wire("GET k"))
	if got, _ := k.take(100, 10*time.Second); len(got) != 100 {
		t.Fatalf("%q", got)
	}
	publish(topology.Serving, b)
	newTalk(t, front).want("ECHO x", "$1\r\nx\r\n")
	rest, closed := k.take(big, 10*time.Second)
	if !closed || len(rest) >= big {
		t.Errorf("%d bytes more, closed: %v", len(rest), closed)
	}
}
