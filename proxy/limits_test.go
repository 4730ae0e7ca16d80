package proxy_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"steadis/proxy"
)

// awaitClosed waits until the connection has ended.
func awaitClosed(k *talk, limit time.Duration) bool {
	_, closed := k.take(1<<30, limit)
	return closed
}

// TestIdleClients: Redis' rule. Who is blocked, subscribed or a monitor is not idle.
func TestIdleClients(t *testing.T) {
	front, server, _ := inFront(t, proxy.Options{Limits: proxy.Limits{Idle: 300 * time.Millisecond}}, realRedis(t))
	silent, asked := newTalk(t, front), newTalk(t, front)
	asked.want("GET k", "$-1\r\n")
	stay := map[string]*talk{}
	for _, cmd := range []string{"BLPOP q 0", "SUBSCRIBE a", "MONITOR"} {
		stay[cmd] = newTalk(t, front)
		stay[cmd].send(wire(cmd))
	}
	for name, k := range map[string]*talk{"silent": silent, "asked": asked} {
		if !awaitClosed(k, 10*time.Second) {
			t.Errorf("the %s client is still there", name)
		}
	}
	for name, k := range stay {
		if got, closed := k.take(1<<20, 300*time.Millisecond); closed {
			t.Errorf("%s: closed after %q", name, got)
		}
	}
	if n := server.Status().Clients; n != len(stay) {
		t.Errorf("%d clients, want %d", n, len(stay))
	}
	// One that is no longer blocked is idle from then on, not from when it was asked.
	newTalk(t, front).want("RPUSH q x", ":1\r\n")
	if got, _ := stay["BLPOP q 0"].take(len("*2\r\n$1\r\nq\r\n$1\r\nx\r\n"), 5*time.Second); len(got) == 0 {
		t.Error("the blocked client was not answered")
	}
	if !awaitClosed(stay["BLPOP q 0"], 10*time.Second) {
		t.Error("a client that was blocked never becomes idle")
	}
}

// small makes what the kernel keeps for a client small.
func small(t *testing.T, k *talk) {
	t.Helper()
	if err := k.nc.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
}

// TestSubscriberThatDoesNotRead: more than the soft limit for too long, or more than the hard
// one at any time, as client-output-buffer-limit pubsub has it.
func TestSubscriberThatDoesNotRead(t *testing.T) {
	for name, limits := range map[string]proxy.Limits{
		"soft": {PubSubSoft: 256 << 10, PubSubSoftTime: 500 * time.Millisecond},
		"hard": {PubSubOutput: 256 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			front, server, _ := inFront(t, proxy.Options{Limits: limits}, realRedis(t))
			reader, sleeper, plain := newTalk(t, front), newTalk(t, front), newTalk(t, front)
			small(t, sleeper)
			sleeper.want("SUBSCRIBE a", "*3")
			reader.want("SUBSCRIBE b", "*3")
			plain.want("SET k v", "+OK")
			message := strings.Repeat("m", 512<<10)
			for range 20 {
				fmt.Fprintf(plain.nc, "*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$%d\r\n%s\r\n", len(message), message)
			}
			awaitClients(t, server, 2)
			if _, closed := reader.take(1, 50*time.Millisecond); closed {
				t.Error("a subscriber that owes nothing was closed")
			}
		})
	}
}

// TestMemoryOfAllClients: beyond limits.memory who has most is closed, and others are served.
func TestMemoryOfAllClients(t *testing.T) {
	const limit = 8 << 20
	registry := prometheus.NewRegistry()
	redis := realRedis(t)
	front, server, _ := inFront(t, proxy.Options{Registry: registry, Limits: proxy.Limits{Memory: limit}}, redis)
	k := newTalk(t, front)
	value := strings.Repeat("v", 1<<20)
	fmt.Fprintf(k.nc, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n", len(value), value)
	if got, _ := k.take(5, 10*time.Second); string(got) != "+OK\r\n" {
		t.Fatalf("SET: %q", got)
	}
	for range 20 {
		greedy := newTalk(t, front)
		small(t, greedy)
		greedy.send(strings.Repeat(wire("GET k"), 20)) // and reads nothing of it
	}
	for limit := time.Now().Add(time.Minute); counted(t, registry, "steadis_clients_evicted_total") == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("nobody was closed")
		}
	}
	for range 20 {
		other := newTalk(t, front)
		other.want("STRLEN k", ":1048576\r\n")
	}
	if got := answers(k, "PING"); got != "+PONG\r\n" {
		t.Errorf("who had read everything gets %q", got)
	}
	for limit := time.Now().Add(20 * time.Second); server.Memory() > 8<<20; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d bytes wait for clients", server.Memory())
		}
	}
}

// TestMemoryIsGivenBack: whatever way clients end, nothing of them is counted afterwards.
func TestMemoryIsGivenBack(t *testing.T) {
	redis := realRedis(t)
	front, server, _ := inFront(t, proxy.Options{}, redis)
	k := newTalk(t, front)
	value := strings.Repeat("v", 1<<20)
	fmt.Fprintf(k.nc, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n", len(value), value)
	k.take(5, 10*time.Second)
	for _, end := range []func(k *talk){
		func(k *talk) { small(t, k); k.nc.Close() },
		func(k *talk) { k.nc.(*net.TCPConn).SetLinger(0); k.nc.Close() },
		func(k *talk) { io.CopyN(io.Discard, k.nc, 3<<20); k.nc.Close() },
		func(k *talk) { io.CopyN(io.Discard, k.nc, 20<<20) },
	} {
		for range 5 {
			k := newTalk(t, front)
			k.send(strings.Repeat(wire("GET k"), 20))
			end(k)
		}
	}
	for limit := time.Now().Add(20 * time.Second); server.Memory() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d bytes are counted with nobody waiting", server.Memory())
		}
	}
}

// TestClientsAreCountedTogether: where Servers share, limits.clients is for all of them, and
// who goes makes room at either.
func TestClientsAreCountedTogether(t *testing.T) {
	limits, node := proxy.Limits{Clients: 2}, realRedis(t)
	o := proxy.Options{Limits: limits, Shared: proxy.NewShared(limits)}
	a, _, _ := inFront(t, o, node)
	b, _, _ := inFront(t, o, node)
	first := newTalk(t, a)
	first.want("ECHO a", "$1\r\na\r\n")
	newTalk(t, b).want("ECHO b", "$1\r\nb\r\n")
	for _, front := range []string{a, b} {
		if got, closed := newTalk(t, front).take(1<<20, 10*time.Second); !closed || !strings.HasPrefix(string(got), "-ERR max number of clients reached") {
			t.Errorf("a third client: %q, closed %v", got, closed)
		}
	}
	first.nc.Close()
	limit := time.Now().Add(10 * time.Second)
	for {
		k := newTalk(t, b)
		k.send("*2\r\n$4\r\nECHO\r\n$1\r\nc\r\n")
		got, _ := k.take(len("$1\r\nc\r\n"), 10*time.Second)
		if string(got) == "$1\r\nc\r\n" {
			return
		}
		if time.Now().After(limit) { // the one that goes has not been seen to go
			t.Fatalf("there is no room for who comes after one has gone: %q", got)
		}
	}
}

// TestWhoIsClosedCountsUntilItHasRead: replies that a closed client has yet to read are memory
// like others', and go first if they are most.
func TestWhoIsClosedCountsUntilItHasRead(t *testing.T) {
	const limit = 8 << 20
	registry := prometheus.NewRegistry()
	redis := realRedis(t)
	front, server, _ := inFront(t, proxy.Options{Registry: registry}, redis)
	modest := newTalk(t, front)
	value := strings.Repeat("v", 1<<20)
	fmt.Fprintf(modest.nc, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n", len(value), value)
	if got, _ := modest.take(5, 10*time.Second); string(got) != "+OK\r\n" {
		t.Fatalf("SET: %q", got)
	}
	modest.want("MULTI", "+OK\r\n")
	for range 12 {
		greedy := newTalk(t, front)
		small(t, greedy)
		greedy.send(strings.Repeat(wire("GET k"), 8)) // and reads nothing of it
		if err := greedy.nc.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	awaitClients(t, server, 1)
	if n := server.Memory(); n < 2*limit {
		t.Fatalf("the kernel has taken all but %d bytes: this shows nothing", n)
	}
	apply, err := server.Prepare(proxy.Options{Limits: proxy.Limits{Memory: limit}})
	if err != nil {
		t.Fatal(err)
	}
	apply()
	const n = 200
	modest.send(strings.Repeat(wire("STRLEN k"), n))
	if got, _ := modest.take(n*len("+QUEUED\r\n"), 10*time.Second); len(got) != n*len("+QUEUED\r\n") {
		t.Fatalf("who has little gets %d bytes", len(got))
	}
	for limit := time.Now().Add(time.Minute); counted(t, registry, "steadis_clients_evicted_total") == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("nobody was closed")
		}
	}
	if got := answers(modest, "EXEC"); !strings.HasPrefix(got, "*200\r\n:1048576\r\n") {
		t.Errorf("who has little gets %q", got)
	}
}
