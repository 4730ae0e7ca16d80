// Package scenario runs the whole data path, clients to nodes, inside
// testing/synctest bubbles: on fake time, over an in-memory network, against
// fakes that share no code with steadis. The tests tell what a failover looks
// like to the nodes and to the clients, step by step.
package scenario

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy"
	"steadis/proxy/hold"
	"steadis/sentinel/topology"
	"steadis/test/fake"
)

const front = "127.0.0.1:6379"

// world is one proxy before two nodes, a (the master) and b (its replica).
type world struct {
	t     *testing.T
	net   *fake.Network
	board *topology.Board
	a, b  *fake.Redis
	proxy *proxy.Server

	generation uint64
	stop       context.CancelFunc
	served     chan error
}

// inWorld runs a scenario in a bubble of its own. At its end the proxy is shut
// down; then every goroutine must have ended (synctest sees to that) and the
// hold's counters must add up with nothing waiting.
func inWorld(t *testing.T, o proxy.Options, f func(t *testing.T, w *world)) {
	t.Helper()
	inDialledWorld(t, o, func(d dialFunc) dialFunc { return d }, f)
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// inDialledWorld is inWorld with a dial of the test's own.
func inDialledWorld(t *testing.T, o proxy.Options, wrap func(dialFunc) dialFunc, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := fake.NewNetwork()
		w := &world{t: t, net: n, board: topology.NewBoard(), served: make(chan error, 1)}
		w.a, w.b = fake.StartRedis(n.MustListen("10.0.0.1:6379")), fake.StartRedis(n.MustListen("10.0.0.2:6379"))
		w.b.BecomeReplica("10.0.0.1:6379")
		w.a.Replicas(w.b)
		o.Board, o.Dial, o.MasterName = w.board, wrap(n.Dial), "mymaster"
		var err error
		if w.proxy, err = proxy.New(o); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		w.stop = cancel
		ln := n.MustListen(front)
		go func() { w.served <- w.proxy.Serve(ctx, ln) }()
		synctest.Wait()
		defer w.shutdown()
		f(t, w)
	})
}

func (w *world) shutdown() {
	w.t.Helper()
	w.stop()
	if err := <-w.served; err != nil {
		w.t.Errorf("Serve: %v", err)
	}
	w.a.Close()
	w.b.Close()
	c := w.proxy.Status().Hold
	if !c.Balanced() || c.Waiting != 0 || c.Bytes != 0 {
		w.t.Errorf("the hold's counters do not add up at the end: %+v", c)
	}
}

// serve publishes node as the master of a new generation.
func (w *world) serve(node *fake.Redis) {
	w.generation++
	w.publish(node, topology.Serving, "announced")
}

// holding publishes that a failover of the current master is under way.
func (w *world) holding() {
	w.board.Publish(topology.View{Master: w.board.Load().Master, Epoch: w.generation, Generation: w.generation,
		Phase: topology.Holding, Since: time.Now(), Reason: "+try-failover"})
	synctest.Wait()
}

// released publishes that the failover was given up.
func (w *world) released() { w.republish(topology.Serving) }

func (w *world) republish(p topology.Phase) {
	v := *w.board.Load()
	v.Phase, v.Since = p, time.Now()
	w.board.Publish(v)
	synctest.Wait()
}

func (w *world) publish(node *fake.Redis, p topology.Phase, why string) {
	w.board.Publish(topology.View{Master: node.Addr(), Epoch: w.generation, Generation: w.generation, Phase: p,
		Since: time.Now(), Reason: why})
	synctest.Wait()
}

// promote makes b the master, as Sentinel does: its clients are disconnected.
func (w *world) promote() {
	w.b.BecomeMaster()
	w.b.Disconnect()
}

// failover holds, makes b the master and serves it.
func (w *world) failover() {
	w.holding()
	w.promote()
	w.serve(w.b)
}

func (w *world) counts() hold.Counts { return w.proxy.Status().Hold }

// traffic lists what clients' commands a node was sent, without the proxy's own.
func traffic(r *fake.Redis) string {
	var all []string
	for _, call := range r.Traffic() {
		if text := strings.Join(call.Args, " "); text != warming {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

// client is a client's connection. It speaks raw RESP by its own few lines.
type client struct {
	t  *testing.T
	nc net.Conn
	br *bufio.Reader
}

func (w *world) connect() *client {
	w.t.Helper()
	return w.dial(front)
}

// dial connects a client to addr: a node's, to go around steadis.
func (w *world) dial(addr string) *client {
	w.t.Helper()
	nc, err := w.net.Dial(w.t.Context(), "tcp", addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { nc.Close() })
	return &client{t: w.t, nc: nc, br: bufio.NewReader(nc)}
}

// warming is the command that warm sends; traffic leaves it out.
const warming = "GET warm"

// warm connects a client whose shared upstream connection exists already, so that
// what it sends is in flight at once.
func (w *world) warm() *client {
	w.t.Helper()
	c := w.connect()
	c.send(warming)
	c.want("nil")
	return c
}

// send writes commands, given as words, in one write, and lets everything settle.
func (c *client) send(cmds ...string) {
	c.t.Helper()
	if err := c.write(cmds); err != nil {
		c.t.Fatalf("send %q: %v", cmds, err)
	}
	synctest.Wait()
}

// flood is send for a client that may be closed for it.
func (c *client) flood(cmds ...string) {
	_ = c.write(cmds) // it has been
	synctest.Wait()
}

func (c *client) write(cmds []string) error {
	var b strings.Builder
	for _, cmd := range cmds {
		words := strings.Fields(cmd)
		fmt.Fprintf(&b, "*%d\r\n", len(words))
		for _, w := range words {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
		}
	}
	_, err := io.WriteString(c.nc, b.String())
	return err
}

// reply reads one reply within a minute of fake time; nested ones are given as
// [a b c], errors and statuses without their first byte.
func (c *client) reply() string {
	c.nc.SetReadDeadline(time.Now().Add(time.Minute))
	s, err := c.read()
	if err != nil {
		return "<" + strings.TrimPrefix(err.Error(), "read ") + ">"
	}
	return s
}

func (c *client) read() (string, error) {
	line, err := c.br.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	n := 0
	fmt.Sscan(line[1:], &n)
	switch line[0] {
	case '+', '-', ':':
		return line[1:], nil
	case '$', '*':
		if n < 0 {
			return "nil", nil
		}
	default:
		return "", errors.New("not RESP: " + line)
	}
	if line[0] == '$' {
		b := make([]byte, n+2)
		_, err := io.ReadFull(c.br, b)
		return string(b[:n]), err
	}
	parts := make([]string, n)
	for i := range parts {
		if parts[i], err = c.read(); err != nil {
			return "", err
		}
	}
	return "[" + strings.Join(parts, " ") + "]", nil
}

// want reads as many replies as given and compares. An expectation that ends in
// "..." is a beginning.
func (c *client) want(replies ...string) {
	c.t.Helper()
	for i, want := range replies {
		got := c.reply()
		head, prefix := strings.CutSuffix(want, "...")
		if got != want && !(prefix && strings.HasPrefix(got, head)) {
			c.t.Fatalf("reply %d of %d: got %q, want %q", i+1, len(replies), got, want)
		}
	}
}

// silent checks that no reply is there.
func (c *client) silent() {
	c.t.Helper()
	synctest.Wait()
	c.nc.SetReadDeadline(time.Now().Add(time.Nanosecond))
	if b, err := c.br.Peek(1); err == nil {
		got, _ := c.br.Peek(c.br.Buffered())
		c.t.Fatalf("a reply came while none was due: %q (first byte %q)", got, b)
	}
	c.br.Reset(c.nc)
}

// closed checks that the proxy has closed the connection.
func (c *client) closed() {
	c.t.Helper()
	c.nc.SetReadDeadline(time.Now().Add(time.Minute))
	if b, err := c.br.ReadByte(); err == nil || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		c.t.Fatalf("the connection is open: byte %q, error %v", b, err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
