package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"steadis/test/topology"
)

// running is a serve in this process.
type running struct {
	log   *output
	admin string
	code  chan int
}

// startServe starts serve with a Sentinel that nobody is, and waits until its admin
// server answers.
func startServe(t *testing.T, ctx context.Context, args ...string) *running {
	t.Helper()
	admin, err := topology.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{log: &output{}, admin: admin, code: make(chan int, 1)}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", admin, "--sentinel", "127.0.0.1:1", "--master", "mymaster"}, args...)
	go func() { r.code <- Main(ctx, args, nil, io.Discard, r.log) }()
	limit, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, _, err := askAdmin(limit, admin, "/livez"); err == nil {
			return r
		}
		select {
		case code := <-r.code:
			t.Fatalf("serve ended with %d:\n%s", code, r.log)
		case <-limit.Done():
			t.Fatalf("serve does not answer:\n%s", r.log)
		case <-time.After(5 * time.Millisecond): // between two questions, of which each may be the last
		}
	}
}

func TestServeWithoutSentinels(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := startServe(t, ctx)
	health := func(args ...string) (int, string) {
		code, stdout, _ := steadis(t.Context(), nil, append([]string{"health", "--admin", r.admin}, args...)...)
		return code, stdout
	}
	if code, stdout := health("--live"); code != 0 || stdout != "alive\n" {
		t.Errorf("health --live: %d %s", code, stdout)
	}
	if code, stdout := health(); code != 1 || stdout == "" {
		t.Errorf("health: %d %s", code, stdout)
	}
	_, metrics, err := askAdmin(t.Context(), r.admin, "/metrics")
	if err != nil || !strings.Contains(metrics, "steadis_build_info{") || !strings.Contains(metrics, "go_goroutines ") {
		t.Errorf("metrics: %v\n%s", err, metrics)
	}
	ok, text, err := askAdmin(t.Context(), r.admin, "/api/status")
	var got map[string]any
	if err != nil || !ok || json.Unmarshal([]byte(text), &got) != nil || got["version"] == nil || got["proxy"] == nil || got["sentinel"] == nil {
		t.Errorf("status: %v\n%s", err, text)
	}
	cancel()
	if code := <-r.code; code != 0 {
		t.Errorf("ended with %d:\n%s", code, r.log)
	}
	for _, want := range []string{"steadis starts", `"listen": ["127.0.0.1:`, `"master": "mymaster"`, "only one Sentinel is named", "steadis has ended"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, r.log)
		}
	}
}

func TestServeEndsBySignal(t *testing.T) {
	for s, want := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
		r := startServe(t, t.Context(), "--log-format", "json")
		if err := syscall.Kill(syscall.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		if code := <-r.code; code != want {
			t.Errorf("%v: ended with %d, want %d:\n%s", s, code, want, r.log)
		}
		for line := range strings.Lines(r.log.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("this line of the log is no JSON: %s", line)
			}
		}
	}
}

func TestServeSaysThatTheAddressIsTaken(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := startServe(t, ctx)
	socket := filepath.Join(t.TempDir(), "s")
	code, _, stderr := steadis(t.Context(), nil, "serve", "--listen", "unix:"+socket, "--admin", r.admin, "--sentinel", "127.0.0.1:1", "--master", "m")
	if code != 1 || !strings.Contains(stderr, "cannot listen on "+r.admin+": another program has this address (`ss -ltnp` shows which); stop it, or choose another address") {
		t.Errorf("got %d: %s", code, stderr)
	}
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the clients' listener stayed open")
	}
	cancel()
	<-r.code
}

// realDeployment starts a master, a replica and three Sentinels that ask for
// passwords, and gives its master's address and the variables that name it.
func realDeployment(ctx context.Context, t *testing.T) (master string, environ []string) {
	t.Helper()
	deployment, err := topology.Start(ctx, topology.Options{Replicas: 1, Password: "nodesecret", SentinelPassword: "sentinelsecret", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := deployment.Close(); err != nil {
			t.Error(err)
		}
	})
	var sentinels []string
	for _, s := range deployment.Sentinels {
		sentinels = append(sentinels, s.Addr())
	}
	return deployment.Nodes[0].Addr(), []string{
		"STEADIS_SENTINEL=" + strings.Join(sentinels, ","), "STEADIS_MASTER=mymaster",
		"STEADIS_SENTINEL_AUTH_PASSWORD=sentinelsecret", "STEADIS_UPSTREAM_PASSWORD=nodesecret", "STEADIS_LIMITS_CLIENTS=100",
	}
}

// TestServeAndCheckOnARealDeployment runs both on three real Sentinels.
func TestServeAndCheckOnARealDeployment(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	master, environ := realDeployment(ctx, t)
	socket := filepath.Join(t.TempDir(), "s")
	admin, err := topology.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	check := func(code int, want string, args ...string) {
		t.Helper()
		got, stdout, stderr := steadis(ctx, environ, append([]string{"check"}, args...)...)
		if got != code || !strings.Contains(stdout, want) {
			t.Errorf("check %q ended with %d, want %d and %q:\n%s%s", args, got, code, want, stdout, stderr)
		}
	}
	check(0, master+", announced by at least 2 of 3 Sentinels", "--listen", "127.0.0.1:0,unix:"+socket, "--admin", admin)
	check(0, "says: master", "--listen", "127.0.0.1:0", "--admin", admin)
	check(0, "\nserve would work.\n", "--listen", "127.0.0.1:0", "--admin", "")
	check(0, `"ok": true`, "--listen", "127.0.0.1:0", "--admin", "", "--json")
	check(1, "no Sentinel monitors a master of that name", "--listen", "127.0.0.1:0", "--admin", "", "--master", "other")
	check(1, "NOT OK: cannot listen on "+master+": another program has this address", "--listen", master, "--admin", "")
	check(1, "too few for limits.clients 1000000000", "--listen", "127.0.0.1:0", "--admin", "", "--limits-clients", "1000000000")
	check(1, "check the addresses, the password", "--listen", "127.0.0.1:0", "--admin", "", "--sentinel-auth-password", "wrong")

	serving, stop := context.WithCancel(ctx)
	defer stop()
	ended, log := make(chan int, 1), &output{}
	go func() {
		ended <- Main(serving, []string{"serve", "--listen", "unix:" + socket, "--admin", admin}, environ, io.Discard, log)
	}()
	if err := awaitReady(ctx, admin); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
	check(0, "in use; a steadis runs here already", "--listen", "unix:"+socket, "--admin", admin)
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("serve ended with %d:\n%s", code, log)
	}
	if strings.Contains(log.String(), "nodesecret") || strings.Contains(log.String(), "sentinelsecret") {
		t.Errorf("the log has a password:\n%s", log)
	}
}

// awaitReady asks the admin server until it says 200.
func awaitReady(ctx context.Context, admin string) error {
	s := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		response, err := s.Get("http://" + admin + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond): // between two questions
		}
	}
}
