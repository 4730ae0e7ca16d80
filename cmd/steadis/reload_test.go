package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/config"
)

// loadLines loads a configuration from the lines of a file.
func loadLines(t *testing.T, lines ...string) (*config.Loaded, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "steadis.yaml")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(config.Input{File: file})
}

// TestReloads: what parts take is theirs, what none takes needs a restart, and is said
// again as long as it differs; one fault and nothing happens.
func TestReloads(t *testing.T) {
	first, err := loadLines(t, "hold: 30s", "master: m")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	registry := prometheus.NewRegistry()
	r := newReloads(&first.Config, func() (*config.Loaded, error) { return loadLines(t, lines...) }, zap.NewNop(), registry)
	var applied []string
	refuse := false
	part := func(name string) func(*config.Config) (func(), error) {
		return func(c *config.Config) (func(), error) {
			if refuse && name == "two" {
				return nil, errors.New("two says no")
			}
			return func() { applied = append(applied, name+" "+c.Hold.String()) }, nil
		}
	}
	r.add(part("one"), "hold", "limits.")
	r.add(part("two"), "in_doubt", "hold")

	steps := []struct {
		name    string
		lines   []string
		refuse  bool
		applied string
		done    string
		fault   string
	}{
		{"nothing", []string{"master: m"}, false, "[]", "Nothing has changed.\n", ""},
		{"a section", []string{"master: m", "limits:", "  clients: 5"}, false, "[one 30s]", "changed        limits.clients: '10000' -> '5'\n", ""},
		{"both parts, and one key that nobody takes", []string{"master: n", "hold: 20s"}, false, "[one 20s two 20s]",
			"changed        hold: '30s' -> '20s'\nchanged        limits.clients: '5' -> '10000'\nneeds restart  master: 'm' -> 'n'\n", ""},
		{"which is said again", []string{"master: n", "hold: 20s"}, false, "[]", "needs restart  master: 'm' -> 'n'\n", ""},
		{"a part refuses", []string{"master: m", "hold: 10s"}, true, "[]", "", "two says no"},
		{"a fault, and another one", []string{"hodl: 10s", "in_doubt: perhaps"}, false, "[]", "", "the configuration has 2 faults:"},
		{"a fault only beside what cannot be reloaded", []string{"master: m", "hold: 9s", "durable: {replicas: 1, timeout: 1s}"}, false, "[one 9s two 9s]",
			"changed        hold: '20s' -> '9s'\nneeds restart  durable.replicas: '0' -> '1'\nneeds restart  durable.timeout: '10s' -> '1s'\n", ""},
	}
	for _, step := range steps {
		lines, refuse, applied = step.lines, step.refuse, nil
		before := r.current()
		done, err := r.reload()
		if fmt.Sprint(applied) != step.applied {
			t.Errorf("%s: applied %v, want %s", step.name, applied, step.applied)
		}
		if step.fault != "" {
			if err == nil || !strings.Contains(err.Error(), step.fault) || r.current() != before {
				t.Errorf("%s: error %v, want %q; changed %v", step.name, err, step.fault, r.current() != before)
			}
			continue
		}
		if err != nil || done.text() != step.done {
			t.Errorf("%s: %v\n%swant\n%s", step.name, err, done.text(), step.done)
		}
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 2 {
		t.Fatal(families, err)
	}
	if done, refused := families[0].GetMetric()[0].GetCounter().GetValue(), families[0].GetMetric()[1].GetCounter().GetValue(); done != 5 || refused != 2 {
		t.Errorf("%v done and %v refused, want 5 and 2", done, refused)
	}
}

// TestEveryKeyIsReloadableOrSaidNotToBe: a new key must be put in one of the lists.
func TestEveryKeyIsReloadableOrSaidNotToBe(t *testing.T) {
	needRestart := []string{"master", "listen", "admin", "admin_pprof", "durable.replicas", "durable.timeout", "durable.reads", "durable.emptied_master",
		"upstream.connections", "upstream.dials", "upstream.dial_rate", "handover", "threads", "log.format", "discovery", "address", "dns.servers",
		"probe.poll", "probe.poll_holding", "probe.timeout", "unix_mode", "proxy_protocol", "auth", "protected", "listen_replicas", "replicas.max_lag", "replicas.fallback"}
	r := &reloads{}
	r.addLog(zap.NewAtomicLevel())
	r.addTokens()
	for _, keys := range [][]string{finderKeys, proxyKeys, ownKeys, userKeys, tlsKeys} {
		r.add(nil, keys...)
	}
	for _, key := range config.Keys() {
		if r.reloadable(key.Path) == slices.Contains(needRestart, key.Path) {
			t.Errorf("%s: reloadable %v, and listed as one that needs a restart %v", key.Path, r.reloadable(key.Path), !r.reloadable(key.Path))
		}
	}
}

// TestServeReloads: by a signal and by the command, on a whole process.
func TestServeReloads(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	file := filepath.Join(t.TempDir(), "steadis.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("admin_token: first-token\n")
	r := startServe(t, ctx, "--config", file)
	reload := func(token string) (int, string, string) {
		return steadis(t.Context(), []string{"STEADIS_ADMIN_TOKEN=" + token}, "reload", "--admin", r.admin)
	}

	write("admin_token: second-token\nhold: 9s\nlimits: {clients: 7}\nlog: {level: debug}\nthreads: 3\n")
	if code, out, errs := reload("wrong"); code != 1 || !strings.Contains(errs, "this needs the admin token") {
		t.Errorf("a wrong token: %d %s %s", code, out, errs)
	}
	code, out, errs := reload("first-token")
	want := "changed        admin_token: '(set)' -> '(set)'\nchanged        hold: '30s' -> '9s'\nchanged        limits.clients: '10000' -> '7'\n" +
		"changed        log.level: 'info' -> 'debug'\nneeds restart  threads: '0' -> '3'\n"
	if code != 0 || out != want {
		t.Errorf("%d %s\n%swant\n%s", code, errs, out, want)
	}
	if code, _, _ := reload("first-token"); code != 1 {
		t.Error("the former token is still good")
	}

	write("hodl: 1s\nin_doubt: maybe\n")
	if code, _, errs := reload("second-token"); code != 1 || !strings.Contains(errs, "did you mean 'hold'?") || !strings.Contains(errs, "in_doubt 'maybe'") {
		t.Errorf("faults: %d %s", code, errs)
	}

	write("admin_token: second-token\ndeny_commands: [keys]\n")
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	limit := time.After(20 * time.Second)
	for strings.Count(r.log.String(), "configuration reloaded") < 2 {
		select {
		case <-time.After(5 * time.Millisecond): // between two looks at the log
		case <-limit:
			t.Fatalf("the signal has not been heeded:\n%s", r.log)
		}
	}
	if code, out, errs := reload("second-token"); code != 0 || out != "Nothing has changed.\n" {
		t.Errorf("%d %s %s", code, out, errs)
	}
	cancel()
	<-r.code
	log := r.log.String()
	for _, want := range []string{`reload: changed	{"key": "deny_commands", "from": "", "to": "keys"}`, `reload: needs a restart	{"key": "threads"`,
		"reload: nothing has changed, for the configuration is at fault"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, "first-token") || strings.Contains(log, "second-token") {
		t.Errorf("the log has a token in it:\n%s", log)
	}
}

// TestReloadLowersWhatTheStartHasLowered: what this machine has no room for is no change, and
// not put in force.
func TestReloadLowersWhatTheStartHasLowered(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	file := filepath.Join(t.TempDir(), "steadis.yaml")
	if err := os.WriteFile(file, []byte("admin_token: some-token\nlimits: {clients: 2000000000}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startServe(t, ctx, "--config", file)
	code, out, errs := steadis(t.Context(), []string{"STEADIS_ADMIN_TOKEN=some-token"}, "reload", "--admin", r.admin)
	if code != 0 || out != "Nothing has changed.\n" {
		t.Errorf("%d %s %s", code, out, errs)
	}
	cancel()
	<-r.code
}

// TestWatchdogProvesThatClientsAreServed: the service manager hears of every PING that was
// answered, and of the beginning and the end.
func TestWatchdogProvesThatClientsAreServed(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "60000")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := startServe(t, ctx)
	heard := map[string]int{}
	hear := func(until string, n int) {
		t.Helper()
		buf := make([]byte, 4096)
		for heard[until] < n {
			if err := manager.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
				t.Fatal(err)
			}
			size, err := manager.Read(buf)
			if err != nil {
				t.Fatalf("%v; heard %v, not %q; log:\n%s", err, heard, until, r.log)
			}
			text, _, _ := strings.Cut(string(buf[:size]), "\n")
			heard[text]++
		}
	}
	hear("WATCHDOG=1", 3)
	hear("READY=1", 1) // there is no master, and it has started all the same
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	hear("RELOADING=1", 1)
	hear("READY=1", 2)
	cancel()
	hear("STOPPING=1", 1)
	<-r.code
}

// TestWatchdogIsSilentWhenNobodyAccepts: a process that does not serve says nothing.
func TestWatchdogIsSilentWhenNobodyAccepts(t *testing.T) {
	to := newInner()
	if err := pingSelf(t.Context(), to, 20*time.Millisecond); err == nil {
		t.Error("nobody has accepted, and all is well")
	}
	accepted := make(chan net.Conn, 1)
	go func() { conn, _ := to.Accept(); accepted <- conn }()
	if err := pingSelf(t.Context(), to, 20*time.Millisecond); err == nil {
		t.Error("nobody has read, and all is well")
	}
	(<-accepted).Close()
	go func() {
		conn, _ := to.Accept()
		_, _ = conn.Read(make([]byte, 100))
		_, _ = io.WriteString(conn, "-LOADING there is no master\r\n")
		accepted <- conn
	}()
	if err := pingSelf(t.Context(), to, 20*time.Second); err != nil {
		t.Error(err)
	}
	(<-accepted).Close()
	to.Close()
	if err := pingSelf(t.Context(), to, time.Second); err != nil {
		t.Errorf("at the end: %v", err)
	}
}
