package proxy_test

import (
	"strings"
	"testing"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

// awaitStatus asks until the status is as wanted.
func awaitStatus(t *testing.T, s *proxy.Server, what string, ok func(proxy.Status) bool) proxy.Status {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		st := s.Status()
		if ok(st) {
			return st
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s: %+v", what, st)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestStatusTellsAnOutage follows a planned change of master with a command held and
// another client blocked.
func TestStatusTellsAnOutage(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, server, publish := inFront(t, proxy.Options{}, a)
	k, blocked := newTalk(t, front), newTalk(t, front)
	k.want("CLIENT SETNAME <script>alert(1)</script>", "+OK")
	k.want("SET k 1", "+OK")
	blocked.send(wire("BLPOP nothing 0"))
	st := awaitStatus(t, server, "blocked client", func(st proxy.Status) bool {
		return st.Traffic.Commands >= 3 && len(st.Connected) == 2 && (st.Connected[0].State == "blocked" || st.Connected[1].State == "blocked")
	})
	if st.Phase != "serving" || st.Master != a || st.Traffic.BytesIn == 0 || st.Traffic.BytesOut == 0 {
		t.Errorf("%+v", st)
	}
	publish(topology.Holding, a)
	awaitStatus(t, server, "hold", func(st proxy.Status) bool { return st.Phase == "holding" })
	k.send(wire("SET k 2"))
	st = awaitStatus(t, server, "held command", func(st proxy.Status) bool {
		return st.Hold.Waiting >= 1 && len(st.Connected) == 2 && st.Connected[0].State == "held"
	})
	if outages := server.Outages(); len(outages) == 0 || !outages[len(outages)-1].Resumed.IsZero() || outages[len(outages)-1].From != a {
		t.Errorf("while it goes on: %+v", outages)
	}
	publish(topology.Serving, b)
	if got, _ := k.take(5, 10*time.Second); string(got) != "+OK\r\n" {
		t.Fatalf("the held command got %q", got)
	}
	st = awaitStatus(t, server, "end", func(st proxy.Status) bool { return st.Phase == "serving" })
	all := server.Outages()
	o := all[len(all)-1]
	if o.From != a || o.To != b || o.ToGeneration <= o.FromGeneration || o.Resumed.Before(o.Began) || o.Drained.IsZero() {
		t.Errorf("%+v", o)
	}
	if c := o.Commands; c.Held == 0 || c.Held != c.Released+c.Refused+c.Dropped || c.Most == 0 || c.InDoubt != 0 {
		t.Errorf("%+v", c)
	}
	var steps []string
	for _, s := range o.Steps {
		steps = append(steps, s.Name)
	}
	story := strings.Join(steps, "; ")
	for _, want := range []string{"commands are held", b + " has proved to be a master", "commands go to " + b, "nothing waits any more"} {
		if !strings.Contains(story, want) {
			t.Errorf("no %q in the steps: %s", want, story)
		}
	}
	named := false
	for _, c := range st.Connected {
		named = named || c.Name == "<script>alert(1)</script>" && c.User == "default" && c.Command == "set"
	}
	if !named {
		t.Errorf("clients: %+v", st.Connected)
	}
}

// TestHistory has samples of what went through, and of each only those asked for.
func TestHistory(t *testing.T) {
	front, server, _ := inFront(t, proxy.Options{}, realRedis(t))
	k := newTalk(t, front)
	st := awaitStatus(t, server, "sample with latency", func(st proxy.Status) bool {
		k.want("SET k 1", "+OK")
		return st.Second.P50 > 0
	})
	if s := st.Second; s.Commands <= 0 || s.P99 < s.P50 || s.Max == 0 || s.Clients != 1 || s.Phase != "serving" || s.In <= 0 || s.Out <= 0 {
		t.Errorf("%+v", s)
	}
	all := server.History(0)
	if len(all) == 0 {
		t.Fatal("no history")
	}
	last := all[len(all)-1].At
	for _, s := range server.History(last) {
		if s.At <= last {
			t.Errorf("asked for what came after %d, got %d", last, s.At)
		}
	}
}

// TestReplicasAreShown: a replica that is connected to the master, as that one tells.
func TestReplicasAreShown(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	host, port, _ := strings.Cut(a, ":")
	newTalk(t, b).want("REPLICAOF "+host+" "+port, "+OK")
	_, server, _ := inFront(t, proxy.Options{}, a)
	st := awaitStatus(t, server, "replica", func(st proxy.Status) bool { return len(st.Replicas) == 1 && st.Replicas[0].State == "online" })
	if r := st.Replicas[0]; r.Address != b || r.LagBytes < 0 || r.LagBytes > 1<<20 || r.LagSeconds > 60 {
		t.Errorf("%+v", r)
	}
}
