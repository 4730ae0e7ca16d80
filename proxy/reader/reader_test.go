package reader

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy"
	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/sentinel/topology"
	"steadis/test/fake"
)

// world is a Reader before two replicas, b and c, of a.
type world struct {
	t       *testing.T
	net     *fake.Network
	a, b, c *fake.Redis
	board   *topology.ReplicaBoard
	reader  *Reader
}

const front = "127.0.0.1:6380"

func inWorld(t *testing.T, o Options, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := fake.NewNetwork()
		w := &world{t: t, net: n, board: topology.NewReplicaBoard()}
		w.a, w.b, w.c = fake.StartRedis(n.MustListen("a:1")), fake.StartRedis(n.MustListen("b:1")), fake.StartRedis(n.MustListen("c:1"))
		w.b.BecomeReplica("a:1")
		w.c.BecomeReplica("a:1")
		w.a.Replicas(w.b, w.c)
		o.Board, o.Server.Dial, o.Server.MasterName, o.Server.Hold = w.board, n.Dial, "mymaster", 10*time.Second
		if o.Clients == 0 {
			o.Clients = 100
		}
		var err error
		if w.reader, err = New(o); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		ln := n.MustListen(front)
		go func() { served <- w.reader.Serve(ctx, ln) }()
		defer func() {
			stop()
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
			w.a.Close()
			w.b.Close()
			w.c.Close()
		}()
		w.fit("b:1", "c:1")
		w.dial("a:1").want("SET k v", "+OK")
		f(t, w)
	})
}

// fit publishes which replicas are fit, and waits until that has had its effect.
func (w *world) fit(addrs ...string) {
	w.board.Publish(topology.Replicas{Fit: addrs, Master: "a:1", Reason: "none is fit"})
	synctest.Wait()
}

// nodes gives how many clients read from each node.
func (w *world) nodes() map[string]int {
	synctest.Wait()
	counts := map[string]int{}
	for _, l := range w.reader.Status().Lanes {
		if l.Clients > 0 {
			counts[l.Node] += l.Clients
		}
	}
	return counts
}

type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (w *world) dial(addr string) *client {
	w.t.Helper()
	conn, err := w.net.Dial(w.t.Context(), "tcp", addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return &client{w.t, conn, bufio.NewReader(conn)}
}

func (c *client) send(line string) {
	c.t.Helper()
	if _, err := c.conn.Write(resp.AppendCommand(nil, strings.Fields(line)...)); err != nil {
		c.t.Fatal(err)
	}
}

// get takes the next line that is no bulk string's header.
func (c *client) get(want string) {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if err == nil && strings.HasPrefix(line, "$") {
		line, err = c.in.ReadString('\n')
	}
	if err != nil || !strings.HasPrefix(line, want) {
		c.t.Errorf("got %q, %v, want %q", line, err, want)
	}
}

func (c *client) want(line, want string) {
	c.t.Helper()
	c.send(line)
	c.get(want)
}

// TestUnfinishedCommandsShareABudget: limits.query_memory is for clients of the master and of
// its replicas together.
func TestUnfinishedCommandsShareABudget(t *testing.T) {
	limits := proxy.Limits{Clients: 1, QueryMemory: 200 << 10}
	shared := proxy.NewShared(limits)
	inWorld(t, Options{Server: proxy.Options{Shared: shared, Limits: limits}}, func(t *testing.T, w *world) {
		master, err := proxy.New(proxy.Options{Board: topology.NewBoard(), Dial: w.net.Dial, Shared: shared, Limits: limits})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served, ln := make(chan error, 1), w.net.MustListen("m:1")
		go func() { served <- master.Serve(ctx, ln) }()
		defer func() { stop(); <-served }()
		unfinished := func(addr string) *client {
			c := w.dial(addr)
			if _, err := c.conn.Write([]byte("*2\r\n$3\r\nGET\r\n$200000\r\n" + strings.Repeat("x", 190_000))); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return c
		}
		unfinished("m:1")
		late := unfinished(front)
		if err := late.conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		late.get("-ERR Protocol error: steadis: query buffers of all clients exceed limits.query_memory")
	})
}

// TestClientsStayAndMove: clients are spread, stay while their replica is fit, and move when
// it is not; a read that was in flight runs elsewhere.
func TestClientsStayAndMove(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		var clients []*client
		for range 6 {
			c := w.dial(front)
			c.want("GET k", "v")
			clients = append(clients, c)
		}
		if got := w.nodes(); got["b:1"] != 3 || got["c:1"] != 3 {
			t.Errorf("6 clients are spread like this: %v", got)
		}
		w.b.HoldReplies()
		for _, c := range clients {
			c.send("GET k") // half of them are in flight at b
		}
		synctest.Wait()
		w.fit("c:1")
		for _, c := range clients {
			c.get("v")
		}
		if got := w.nodes(); got["c:1"] != 6 {
			t.Errorf("b is not fit, and clients are spread like this: %v", got)
		}
		w.b.ReleaseReplies()
		w.fit("b:1", "c:1")
		if got := w.nodes(); got["c:1"] != 6 {
			t.Errorf("clients that are well served have moved: %v", got)
		}
		w.dial(front).want("GET k", "v")
		if got := w.nodes(); got["b:1"] != 1 {
			t.Errorf("a new client did not go to the replica that is back: %v", got)
		}
		clients[0].want("SET k w", "-READONLY You can't write against a read only replica.")
	})
}

// TestNobodyIsFit: commands wait, and run when a replica is there; after the hold time
// they are refused.
func TestNobodyIsFit(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		c := w.dial(front)
		c.want("GET k", "v")
		w.fit()
		c.send("GET k")
		time.Sleep(5 * time.Second)
		w.fit("c:1")
		c.get("v")
		w.fit()
		time.Sleep(11 * time.Second)
		c.want("GET k", "-LOADING steadis: no replica for 'mymaster' since 11 s (none is fit)")
		w.fit("b:1")
		c.want("GET k", "v")
	})
}

// TestMasterStandsIn: it is read from while no replica is fit, and never written to.
func TestMasterStandsIn(t *testing.T) {
	inWorld(t, Options{Standin: true}, func(t *testing.T, w *world) {
		c := w.dial(front)
		w.fit()
		c.want("GET k", "v")
		if got := w.nodes(); got["a:1"] != 1 {
			t.Errorf("clients read from %v", got)
		}
		c.want("SET k w", "-READONLY ")
		c.want("EVAL x 0", "-READONLY ")
		w.fit("b:1")
		if got := w.nodes(); got["b:1"] != 1 {
			t.Errorf("clients read from %v", got)
		}
	})
}

// TestDoubtsReachTheControlPlane: a replica that ends its connections is doubted by name.
func TestDoubtsReachTheControlPlane(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.dial(front).want("GET k", "v")
		w.b.Disconnect()
		synctest.Wait()
		select {
		case got := <-w.board.Doubts():
			if got != "b:1" {
				t.Errorf("%s is doubted", got)
			}
		default:
			t.Error("nobody is doubted")
		}
	})
}

func TestClientsAreLimited(t *testing.T) {
	inWorld(t, Options{Clients: 2}, func(t *testing.T, w *world) {
		for range 2 {
			w.dial(front).want("GET k", "v")
		}
		w.dial(front).get("-ERR max number of clients reached")
	})
}

// TestSettingsReachEveryLane: a reload changes the lanes that there are and those to come,
// and how many clients there may be of all of them.
func TestSettingsReachEveryLane(t *testing.T) {
	inWorld(t, Options{Clients: 1}, func(t *testing.T, w *world) {
		first := w.dial(front)
		first.want("GET k", "v")
		w.dial(front).get("-ERR max number of clients reached")
		next := w.reader.o.Server
		next.Limits.Clients, next.Hold = 3, time.Second
		next.Commands = command.Policy{Deny: []string{"strlen"}}
		apply, err := w.reader.Prepare(next)
		if err != nil {
			t.Fatal(err)
		}
		first.want("STRLEN k", ":1")
		apply()
		d := fake.StartRedis(w.net.MustListen("d:1"))
		t.Cleanup(d.Close)
		d.BecomeReplica("a:1")
		w.fit("b:1", "c:1", "d:1") // its lane is made now
		clients := []*client{first, w.dial(front), w.dial(front)}
		for _, c := range clients {
			c.want("STRLEN k", "-ERR steadis: 'strlen' is refused")
		}
		if got := w.nodes(); len(got) != 3 {
			t.Errorf("3 clients of 3 replicas are spread like this: %v", got)
		}
		w.dial(front).get("-ERR max number of clients reached")
		w.fit()
		time.Sleep(2 * time.Second)
		for _, c := range clients {
			c.want("GET k", "-LOADING steadis: no replica")
		}
		next.Commands = command.Policy{Deny: []string{"*"}}
		if _, err := w.reader.Prepare(next); err == nil {
			t.Error("settings at fault were taken")
		}
	})
}
