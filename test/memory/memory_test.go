package memory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestStaysInsideItsMemory floods a steadis that may take 256 MB. With TEST_MEMORY=container
// (`make memory`) it is 10,000 clients, and the kernel sees to the limit.
func TestStaysInsideItsMemory(t *testing.T) {
	clients, start, within := 1500, startPlain, 3*time.Minute
	if os.Getenv("TEST_MEMORY") == "container" {
		clients, start, within = 10_000, startInContainer, 15*time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	d, err := topology.Start(ctx, topology.Options{Replicas: 1, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	s := start(ctx, t, d, clients+10)
	f := &flood{t: t, addr: s.addr, conns: make([]net.Conn, clients)}
	defer f.hangUp()
	check := func(phase string) {
		t.Helper()
		alive, most, err := s.state()
		t.Logf("%s: at most %.1f MB; %d of %d clients connected, %d closed in all", phase, float64(most)/(1<<20), f.connected(), clients, f.closed)
		if err != nil || !alive {
			t.Fatalf("steadis has ended: %v", err)
		}
		if most > limit {
			t.Fatalf("steadis has taken %d bytes, more than %d", most, limit)
		}
	}
	served := func() { awaitServed(ctx, t, s) }

	served()
	f.each(greet)
	check("connected")
	f.each(greedy)
	served()
	check("flood")
	f.each(greedy)
	served()
	check("flood again")
	for _, n := range d.Nodes {
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	f.each(writing)
	check("outage")
	f.each(greedy)
	check("flood in the outage")
	for _, n := range d.Nodes {
		if err := n.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	served()
	check("after the outage")
	f.hangUp()
	served()
	check("at the end")
}

// awaitServed waits until a small client is served: it may have to come again, as who has
// nothing may be in the way of who has much.
func awaitServed(ctx context.Context, t *testing.T, s limited) {
	t.Helper()
	for {
		err := func() error {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			c, err := wire.Dial(ctx, s.addr)
			if err != nil {
				return err
			}
			defer c.Close()
			for _, cmd := range [][]string{{"SET", "small", "1"}, {"GET", "small"}} {
				reply, err := c.Do(ctx, cmd...)
				if refusal, is := reply.(error); is && err == nil {
					err = refusal
				}
				if err != nil {
					return err
				}
			}
			return nil
		}()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("a small client is not served: %v", err)
		}
		if alive, _, err := s.state(); !alive {
			t.Fatalf("steadis has ended: %v", err)
		}
	}
}

// flood is many clients, of which none reads what it has asked for.
type flood struct {
	t      *testing.T
	addr   string
	conns  []net.Conn // nil: closed by steadis, or not connected yet
	mu     sync.Mutex // guards closed
	closed int
}

// atOnce is how many clients do something at one time.
const atOnce = 16

// each connects who is not, and lets each of the clients do something.
func (f *flood) each(do func(i int, nc net.Conn) error) {
	f.t.Helper()
	var wg sync.WaitGroup
	for part := range atOnce {
		wg.Go(func() {
			for i := part; i < len(f.conns); i += atOnce {
				f.one(i, do)
			}
		})
	}
	wg.Wait()
}

func (f *flood) one(i int, do func(i int, nc net.Conn) error) {
	if f.conns[i] == nil {
		nc, err := net.Dial("tcp", f.addr)
		if err != nil {
			f.t.Errorf("client %d: %v", i, err)
			return
		}
		nc.(*net.TCPConn).SetReadBuffer(4 << 10)
		f.conns[i] = nc
	}
	nc := f.conns[i]
	nc.SetDeadline(time.Now().Add(2 * time.Second))
	if err := do(i, nc); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		nc.Close()
		f.conns[i] = nil
		f.mu.Lock()
		f.closed++
		f.mu.Unlock()
	}
}

func (f *flood) connected() (n int) {
	for _, nc := range f.conns {
		if nc != nil {
			n++
		}
	}
	return n
}

func (f *flood) hangUp() {
	for i, nc := range f.conns {
		if nc != nil {
			nc.Close()
			f.conns[i] = nil
		}
	}
}

// greet is a client as it should be.
func greet(_ int, nc net.Conn) error {
	if _, err := io.WriteString(nc, "PING\r\n"); err != nil {
		return err
	}
	_, err := io.ReadFull(nc, make([]byte, len("+PONG\r\n")))
	return err
}

func bulkOf(n int) string { return fmt.Sprintf("$%d\r\n%s\r\n", n, strings.Repeat("x", n)) }

var (
	setLarge  = "*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n" + bulkOf(100<<10)
	getLarge  = strings.Repeat("*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n", 200)
	tiny      = strings.Repeat("*2\r\n$3\r\nGET\r\n$4\r\nnone\r\n", 2000)
	half      = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n" + strings.Repeat("x", 100<<10)
	several   = strings.Repeat("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n"+bulkOf(16<<10), 8)
	appending = "*3\r\n$6\r\nAPPEND\r\n$1\r\na\r\n" + bulkOf(64)
)

// greedy asks for much, or sends much, or half of something, and reads nothing.
func greedy(i int, nc net.Conn) error {
	var text string
	switch i % 4 {
	case 0:
		text = setLarge + getLarge
	case 1:
		text = half
	case 2:
		text = tiny
	default:
		text = several
	}
	nc.SetDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := io.WriteString(nc, text)
	return err
}

// writing sends writes, small and large.
func writing(i int, nc net.Conn) error {
	text := appending
	if i%2 == 0 {
		text = several
	}
	nc.SetDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := io.WriteString(nc, text)
	return err
}
