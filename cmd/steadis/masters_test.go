package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"steadis/test/harness"
	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// twoMasters is a process that serves two masters, of the same Sentinels.
type twoMasters struct {
	ctx             context.Context
	cache, sessions *topology.Deployment
	dir, admin      string
	ended           chan int // of the process that serves
	log             *output
}

const twoToken = "for-tests-only"

func startTwoMasters(t *testing.T) *twoMasters {
	t.Helper()
	m := &twoMasters{ctx: harness.Within(t, 3*time.Minute), dir: t.TempDir(), log: &output{}}
	deploy := func(name string, sentinels int) *topology.Deployment {
		d, err := topology.Start(m.ctx, topology.Options{Name: name, Replicas: -1, Sentinels: sentinels, Dir: t.TempDir()})
		harness.Must(t, err)
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		return d
	}
	m.cache, m.sessions = deploy("cache", 3), deploy("sessions", -1)
	host, port, err := net.SplitHostPort(m.sessions.Nodes[0].Addr())
	harness.Must(t, err)
	for _, s := range m.cache.Sentinels {
		_, err := s.Do(m.ctx, "SENTINEL", "MONITOR", "sessions", host, port, "2")
		harness.Must(t, err)
	}
	m.admin, err = topology.FreeAddr()
	harness.Must(t, err)
	m.write(t, "2s")
	m.serve(t)
	return m
}

// write writes the configuration, with a hold for cache.
func (m *twoMasters) write(t *testing.T, hold string) {
	t.Helper()
	text := fmt.Sprintf("sentinel: %q\nadmin: %q\nadmin_token: %s\nhandover: %s/handover\nlimits: {clients: 100}\nupstream: {dial_timeout: 300ms, heartbeat: 300ms}\n"+
		"replicas: {fallback: master}\nmasters:\n"+
		"  - {name: cache, listen: ['unix:$DIR/cache'], listen_replicas: ['unix:$DIR/cache-r'], hold: %s}\n"+
		"  - {name: sessions, listen: ['unix:$DIR/sessions'], listen_replicas: ['unix:$DIR/sessions-r']}\n",
		m.cache.SentinelAddrs(), m.admin, twoToken, m.dir, hold)
	text = strings.ReplaceAll(text, "$DIR", m.dir)
	harness.Must(t, os.WriteFile(m.file(), []byte(text), 0o600))
}

func (m *twoMasters) file() string { return filepath.Join(m.dir, "steadis.yaml") }

// serve starts a process and waits until it is ready.
func (m *twoMasters) serve(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(m.ctx)
	ended := make(chan int, 1)
	m.ended = ended
	go func() { ended <- Main(ctx, []string{"serve", "--config", m.file()}, nil, io.Discard, m.log) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("serve ended with %d", code)
		}
		if t.Failed() {
			t.Logf("the log:\n%s", m.log)
		}
	})
	if err := awaitReady(m.ctx, m.admin); err != nil {
		t.Fatalf("%v\n%s", err, m.log)
	}
}

// dial connects a client of a master.
func (m *twoMasters) dial(t *testing.T, master string) *wire.Conn {
	t.Helper()
	nc, err := (&net.Dialer{}).DialContext(m.ctx, "unix", filepath.Join(m.dir, master))
	harness.Must(t, err)
	c := wire.New(nc)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (m *twoMasters) do(t *testing.T, c *wire.Conn, want any, args ...string) {
	t.Helper()
	if got, err := c.Do(m.ctx, args...); err != nil || got != want {
		t.Fatalf("%v: %v, %v; want %v", args, got, err, want)
	}
}

// ask asks the admin server.
func (m *twoMasters) ask(t *testing.T, path string) string {
	t.Helper()
	_, answer, err := askAdmin(m.ctx, m.admin, path)
	harness.Must(t, err)
	return answer
}

// command runs a command with the same configuration.
func (m *twoMasters) command(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	got, stdout, stderr := steadis(m.ctx, nil, append(args, "--config", m.file())...)
	if got != code || !strings.Contains(stdout+stderr, want) {
		t.Errorf("%q ended with %d, want %d and %q:\n%s%s", args, got, code, want, stdout, stderr)
	}
}

func (m *twoMasters) status(t *testing.T, master string) (s status) {
	t.Helper()
	harness.Must(t, json.Unmarshal([]byte(m.ask(t, "/api/status?master="+master)), &s))
	return s
}

// TestTwoMasters: each client has its own master's data; figures, status, commands, reload
// and readiness tell the two apart; a new process goes on with the clients of both; and
// when one master dies its clients wait for its own hold, and the other's notice nothing.
func TestTwoMasters(t *testing.T) {
	m := startTwoMasters(t)
	cache, sessions := m.dial(t, "cache"), m.dial(t, "sessions")
	m.do(t, cache, "OK", "SET", "of", "cache")
	m.do(t, sessions, "OK", "SET", "of", "sessions")
	m.do(t, cache, "cache", "GET", "of")
	m.do(t, sessions, "sessions", "GET", "of")
	m.tellsThemApart(t)
	m.reloadsOneHold(t)
	m.handsOver(t, cache, sessions)
	for _, master := range []string{"cache", "sessions"} { // who has no replica, so the master stands in
		m.do(t, m.dial(t, master+"-r"), master, "GET", "of")
	}
	m.losesOne(t, cache, sessions)
	m.forgetsOne(t, cache, sessions)
}

func (m *twoMasters) tellsThemApart(t *testing.T) {
	metrics := "\n" + m.ask(t, "/metrics") + "\n"
	for _, want := range []string{"\nsteadis_clients{master=\"cache\"} 1\n", "\nsteadis_clients{master=\"sessions\"} 1\n", "\nsteadis_build_info{goversion",
		"\nsteadis_phase{master=\"cache\",phase=\"serving\"} 1\n", "\nsteadis_sentinel_generation{master=\"sessions\"} 1\n", "\nsteadis_reloads_total{result"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %q", strings.TrimSpace(want))
		}
	}
	var all statuses
	harness.Must(t, json.Unmarshal([]byte(m.ask(t, "/api/status")), &all))
	if len(all.Masters) != 2 || all.Version == "" || all.Masters["sessions"].Proxy.Master != m.sessions.Nodes[0].Addr() {
		t.Errorf("status: %+v", all)
	}
	one := m.status(t, "cache")
	if one.Proxy.Master != m.cache.Nodes[0].Addr() || one.Proxy.Limits.Seconds != 2 || one.Proxy.Limits.Commands != 50000 || one.Sentinel.MasterName != "cache" {
		t.Errorf("status of cache: %+v", one.Proxy)
	}
	for path, want := range map[string]string{
		"/readyz":                      "cache: serving: master " + m.cache.Nodes[0].Addr(),
		"/api/status?master=other":     "steadis: there is no master 'other' here; choose one of cache, sessions",
		"/api/history":                 "steadis: there are several masters; add ?master= and one of cache, sessions",
		"/api/history?master=sessions": `"commands_per_second"`,
	} {
		harness.Poll(m.ctx, t, path, func() error { // a history begins after a second
			if got := m.ask(t, path); !strings.Contains(got, want) {
				return fmt.Errorf("got %s, want %s", got, want)
			}
			return nil
		})
	}
	m.command(t, 0, "; sessions: serving: master ", "health")
	m.command(t, 0, "sessions:\nSENTINEL", "check")
	m.command(t, 1, "steadis: there are several masters; add ?master= and one of cache, sessions", "switchover")
	m.command(t, 2, "master 'other' (--master) is none of masters; choose one of cache, sessions", "switchover", "--master", "other")
	m.command(t, 1, "replica", "switchover", "--master", "sessions") // it has none
	m.command(t, 2, "master 'cache' (--master) contradicts masters", "check", "--master", "cache")
	m.command(t, 2, "master is not set, and there are several", "drill", "--addr", "127.0.0.1:1", "--yes")
}

// reloadsOneHold makes cache's shorter, and leaves the other.
func (m *twoMasters) reloadsOneHold(t *testing.T) {
	m.write(t, "1s")
	m.command(t, 0, "changed        masters: 'cache=unix:", "reload")
	m.command(t, 0, "Nothing has changed.", "reload")
	if cache, sessions := m.status(t, "cache").Proxy.Limits.Seconds, m.status(t, "sessions").Proxy.Limits.Seconds; cache != 1 || sessions != 30 {
		t.Errorf("holds of %v and %v s, want 1 and 30", cache, sessions)
	}
}

// handsOver starts a process that takes over. Each client goes on where it belongs.
func (m *twoMasters) handsOver(t *testing.T, cache, sessions *wire.Conn) {
	for name, c := range map[string]*wire.Conn{"of-cache": cache, "of-sessions": sessions} {
		m.do(t, c, "OK", "CLIENT", "SETNAME", name)
		m.do(t, c, "OK", "SELECT", "1")
		m.do(t, c, "OK", "SET", "db1", name)
	}
	m.takeOver(t)
	for name, c := range map[string]*wire.Conn{"of-cache": cache, "of-sessions": sessions} {
		m.do(t, c, name, "CLIENT", "GETNAME")
		m.do(t, c, name, "GET", "db1")
	}
	if m.status(t, "cache").Proxy.Clients != 1 || m.status(t, "sessions").Proxy.Clients != 1 {
		t.Error("the clients are not where they belong")
	}
}

// takeOver starts a process that takes over, and returns once the former one has ended.
func (m *twoMasters) takeOver(t *testing.T) {
	t.Helper()
	former := m.ended
	m.serve(t)
	select {
	case code := <-former:
		former <- code // for the cleanup
	case <-m.ctx.Done():
		t.Fatal("the former process has not ended")
	}
}

// forgetsOne starts a process that takes over cache alone. Whoever was at the other master is
// closed, and not given cache's data.
func (m *twoMasters) forgetsOne(t *testing.T, cache, sessions *wire.Conn) {
	text, err := os.ReadFile(m.file())
	harness.Must(t, err)
	alone, _, _ := strings.Cut(string(text), "  - {name: sessions")
	harness.Must(t, os.WriteFile(m.file(), []byte(alone), 0o600))
	m.takeOver(t)
	m.do(t, cache, "cache", "GET", "of")
	if got, err := sessions.Do(m.ctx, "GET", "of"); err == nil || errors.As(err, new(wire.Error)) {
		t.Errorf("a client of a master that nobody serves got %v, %v", got, err)
	}
	if status := m.status(t, "cache"); status.Proxy.Clients != 1 {
		t.Errorf("%d clients of cache", status.Proxy.Clients)
	}
}

// losesOne kills cache's master, which has no replica, and brings it back.
func (m *twoMasters) losesOne(t *testing.T, cache, sessions *wire.Conn) {
	held := m.status(t, "sessions").Proxy.Hold.Held // some at the start, perhaps
	harness.Must(t, m.cache.Nodes[0].Kill())
	type answer struct {
		err  error
		took time.Duration
	}
	answered := make(chan answer, 1)
	began := time.Now()
	go func() {
		_, err := cache.Do(m.ctx, "GET", "of")
		answered <- answer{err, time.Since(began)}
	}()
	var got answer
	for n := int64(1); got.err == nil; n++ {
		m.do(t, sessions, n, "INCR", "n")
		select {
		case got = <-answered:
			if got.err == nil {
				t.Fatal("there is an answer without a master")
			}
		default:
		}
	}
	var refused wire.Error
	if !errors.As(got.err, &refused) || !strings.HasPrefix(string(refused), "LOADING steadis: no master for 'cache'") {
		t.Errorf("got %v", got.err)
	}
	if got.took < 900*time.Millisecond || got.took > 20*time.Second {
		t.Errorf("the command waited %v, and cache's hold is 1 s", got.took)
	}
	if now := m.status(t, "sessions").Proxy.Hold.Held; now != held {
		t.Errorf("%d commands of the other master were held", now-held)
	}
	for master, want := range map[string]string{"cache": "out", "sessions": "serving"} {
		if line := fmt.Sprintf("\nsteadis_phase{master=%q,phase=%q} 1\n", master, want); !strings.Contains(m.ask(t, "/metrics"), line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	if ready, why, err := askAdmin(m.ctx, m.admin, "/readyz"); err != nil || ready || !strings.HasPrefix(why, "cache: ") || !strings.Contains(why, "; sessions: serving: master ") {
		t.Errorf("ready %v: %s, %v", ready, why, err)
	}
	m.command(t, 1, "cache: ", "health")
	harness.Must(t, m.cache.Nodes[0].Restart(m.ctx))
	harness.Poll(m.ctx, t, "cache to serve again", func() error { // a Sentinel may be late to see that it is back, and say that it is down
		if got, err := cache.Do(m.ctx, "SET", "of", "cache"); err != nil || got != "OK" {
			return fmt.Errorf("%v, %w", got, err)
		}
		return nil
	})
	harness.Must(t, awaitReady(m.ctx, m.admin))
	for _, want := range []string{"cache.sentinel\t", "sessions.sentinel\t", `cache	listening	{"listen": ["`, `"masters": ["cache", "sessions"]`, `clients of the former process are taken over	{"clients": 2, "refused": 0}`} {
		if !strings.Contains(m.log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}
