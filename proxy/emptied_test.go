package proxy_test

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
	"steadis/test/fake"
)

// replaceAsked is one call of Options.Replace; the test answers it.
type replaceAsked struct {
	generation uint64
	reason     string
	answer     chan<- error
}

// guarded is a proxy in durable mode before a master and a replica, and its Replace.
type guarded struct {
	t               *testing.T
	master, replica string
	kill            func() // the master
	front           *talk
	asked           chan replaceAsked
	publish         func(topology.Phase, string)
	server          *proxy.Server
}

// guard starts all of them and has the proxy know that the master has a key. The options are the master's.
func guard(t *testing.T, hold time.Duration, options ...string) *guarded {
	t.Helper()
	g := &guarded{t: t, master: freeAddr(t), asked: make(chan replaceAsked)}
	g.start(options...)
	host, port, _ := strings.Cut(g.master, ":")
	g.replica = realRedis(t, "--replicaof", host+" "+port)
	o := proxy.Options{Hold: hold, Durable: proxy.Durable{Replicas: 1, Timeout: hold / 2}, Upstream: proxy.UpstreamOptions{Heartbeat: 50 * time.Millisecond}}
	o.Replace = func(ctx context.Context, generation uint64, reason string) error {
		answer := make(chan error, 1)
		select {
		case g.asked <- replaceAsked{generation, reason, answer}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case err := <-answer:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var addr string
	addr, g.server, g.publish = inFront(t, o, g.master)
	g.front = newTalk(t, addr)
	for g.front.ask("SET k v") != "+OK\r\n" { // until the replica confirms
	}
	g.surveyed()
	return g
}

// start starts the master, empty unless options name a directory.
func (g *guarded) start(options ...string) {
	g.t.Helper()
	g.kill = redisAt(g.t, g.master, append([]string{"--repl-diskless-sync-delay", "0", "--dir", g.t.TempDir()}, options...)...)
}

var infoCalls = regexp.MustCompile(`cmdstat_info:calls=(\d+)`)

// surveyed waits until the proxy has looked at the master two times more.
func (g *guarded) surveyed() {
	g.t.Helper()
	calls := func() int {
		k := newTalk(g.t, g.master)
		defer k.nc.Close()
		n, _ := strconv.Atoi(append(infoCalls.FindStringSubmatch(k.ask("INFO commandstats")), "", "0")[1])
		return n
	}
	began := calls()
	for own := 1; calls() < began+own+4; own++ {
	}
}

// got waits for a call of Replace.
func (g *guarded) got() replaceAsked {
	g.t.Helper()
	select {
	case a := <-g.asked:
		return a
	case <-time.After(10 * time.Second):
		g.t.Fatal("nobody was asked to replace the master")
	}
	return replaceAsked{}
}

// TestEmptiedMasterIsReplaced: it gets no client's command, and its replica becomes the master with all
// that there was.
func TestEmptiedMasterIsReplaced(t *testing.T) {
	g := guard(t, 20*time.Second)
	g.kill()
	// The replica may be there first; then it keeps its data for so long.
	g.start("--repl-diskless-sync-delay", "3")
	g.front.send(wire("GET k"))
	a := g.got()
	if a.generation != 1 || !strings.Contains(a.reason, "without its data") {
		t.Errorf("asked for %+v, want generation 1", a)
	}
	newTalk(t, g.replica).want("REPLICAOF NO ONE", "+OK\r\n")
	g.kill()
	host, port, _ := strings.Cut(g.replica, ":")
	g.start("--replicaof", host+" "+port) // it confirms what is read
	g.publish(topology.Serving, g.replica)
	a.answer <- nil
	if got, _ := g.front.take(7, 15*time.Second); string(got) != "$1\r\nv\r\n" {
		t.Errorf("GET k through all of it: %q", got)
	}
}

// TestEmptiedMasterIsStopped: for everybody, so that no replica can follow it.
func TestEmptiedMasterIsStopped(t *testing.T) {
	g := guard(t, 20*time.Second)
	g.kill()
	g.start()
	g.got()
	k := newTalk(t, g.master)
	k.send(wire("PING"))
	if got, closed := k.take(1, 500*time.Millisecond); len(got) > 0 || closed {
		t.Errorf("PING to the emptied master: %q, closed %v", got, closed)
	}
}

// TestEmptiedMasterIsServedIfNobodyReplacesIt: for as long as it is stopped it is tried to; and the
// next time, too.
func TestEmptiedMasterIsServedIfNobodyReplacesIt(t *testing.T) {
	g := guard(t, 9*time.Second)
	for round := range 2 {
		g.kill()
		g.start()
		g.front.send(wire("GET k"))
		attempts := 0
		for served := false; !served; {
			select {
			case a := <-g.asked:
				attempts++
				a.answer <- errors.New("no")
			default:
			}
			got, closed := g.front.take(5, 10*time.Millisecond)
			if served = string(got) == "$-1\r\n"; closed || len(got) > 0 && !served {
				t.Fatalf("round %d: %q", round, got)
			}
		}
		if attempts < 2 || attempts > 4 { // the pause is a third of the hold time, 3 s
			t.Errorf("round %d: %d attempts", round, attempts)
		}
		for g.front.ask("SET k v") != "+OK\r\n" {
		}
		g.surveyed()
	}
}

// TestRestartedMasterWithItsData: it has all that it had, or older data.
func TestRestartedMasterWithItsData(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options func(dir string) []string
		save    bool
		end     string // how it ends; else it is killed
		want    string // the reason to replace it; empty: it is served
	}{
		{name: "append-only file", options: func(dir string) []string {
			return []string{"--dir", dir, "--appendonly", "yes", "--appendfsync", "always"}
		}},
		{name: "dump of a planned restart", options: func(dir string) []string { return []string{"--dir", dir} }, end: "SHUTDOWN SAVE"},
		{name: "older dump", options: func(dir string) []string { return []string{"--dir", dir} }, save: true, want: "with older data"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options := tt.options(t.TempDir())
			g := guard(t, 20*time.Second, options...)
			if tt.save {
				newTalk(t, g.master).want("SAVE", "+OK\r\n")
			}
			g.front.want("SET k2 v2", "+OK\r\n")
			g.surveyed()
			if tt.end != "" {
				k := newTalk(t, g.master)
				k.send(wire(tt.end))
				if got, closed := k.take(1, 10*time.Second); len(got) > 0 || !closed {
					t.Errorf("%s: %q, closed %v", tt.end, got, closed)
				}
			}
			g.kill()
			g.start(options...)
			g.front.send(wire("GET k2"))
			if tt.want != "" {
				if a := g.got(); !strings.Contains(a.reason, tt.want) {
					t.Errorf("%q", a.reason)
				}
				return
			}
			if got, _ := g.front.take(8, 10*time.Second); string(got) != "$2\r\nv2\r\n" {
				t.Errorf("%q", got)
			}
			select {
			case a := <-g.asked:
				t.Errorf("it was to be replaced: %s", a.reason)
			default:
			}
		})
	}
}

// TestMasterStoppedWhileItIsAsked: another steadis may stop it just after it has proved to be a master. What
// it was asked is not waited for once there is another one.
func TestMasterStoppedWhileItIsAsked(t *testing.T) {
	former, next := fake.StartRedis(listen(t)), fake.StartRedis(listen(t))
	stopped, asked := make(chan struct{}), make(chan struct{}, 10)
	t.Cleanup(func() { close(stopped); former.Close(); next.Close() })
	former.On(func(call fake.Call) string {
		if call.Args[0] == "INFO" {
			asked <- struct{}{}
			<-stopped
		}
		return ""
	})
	o := proxy.Options{Upstream: proxy.UpstreamOptions{DialTimeout: 5 * time.Second}}
	o.Replace = func(context.Context, uint64, string) error { return nil }
	addr, _, publish := inFront(t, o, former.Addr())
	k := newTalk(t, addr)
	<-asked
	began := time.Now()
	publish(topology.Serving, next.Addr())
	k.want("GET k", "$-1\r\n")
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the next master was followed after %v", took)
	}
}

// TestEmptiedMasterIsNotStoppedForGood: several steadis before a master that nobody replaces do not stop it one
// after the other, each for its time.
func TestEmptiedMasterIsNotStoppedForGood(t *testing.T) {
	g := guard(t, 9*time.Second)
	fronts := []*talk{g.front}
	for range 2 {
		o := proxy.Options{Hold: 9 * time.Second, Durable: proxy.Durable{Replicas: 1, Timeout: 3 * time.Second}, Upstream: proxy.UpstreamOptions{Heartbeat: 50 * time.Millisecond}}
		o.Replace = func(context.Context, uint64, string) error { return errors.New("no") }
		addr, _, _ := inFront(t, o, g.master)
		k := newTalk(t, addr)
		k.want("GET k", "$1\r\nv\r\n")
		fronts = append(fronts, k)
	}
	g.kill()
	go func() {
		for {
			select {
			case a := <-g.asked:
				a.answer <- errors.New("no")
			case <-t.Context().Done():
				return
			}
		}
	}()
	g.start()
	began := time.Now()
	for i, k := range fronts {
		k.send(wire("GET k"))
		if got, _ := k.take(5, 15*time.Second); string(got) != "$-1\r\n" {
			t.Errorf("front %d: %q after %v", i, got, time.Since(began))
		}
	}
}
