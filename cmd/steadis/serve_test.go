package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
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
	code, _, stderr := steadis(t.Context(), nil, "serve", "--listen", "127.0.0.1:0", "--admin", r.admin, "--sentinel", "127.0.0.1:1", "--master", "m")
	if code != 1 || !strings.Contains(stderr, "cannot listen on "+r.admin+": another program has this address (`ss -ltnp` shows which); stop it, or choose another address") {
		t.Errorf("got %d: %s", code, stderr)
	}
	cancel()
	<-r.code
}

// TestServeAndCheckOnARealDeployment runs both on three real Sentinels.
func TestServeAndCheckOnARealDeployment(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	deployment, err := topology.Start(ctx, topology.Options{Replicas: 1, Password: "nodesecret", SentinelPassword: "sentinelsecret", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := deployment.Close(); err != nil {
			t.Error(err)
		}
	}()
	var sentinels []string
	for _, s := range deployment.Sentinels {
		sentinels = append(sentinels, s.Addr())
	}
	environ := []string{"STEADIS_SENTINEL=" + strings.Join(sentinels, ","), "STEADIS_MASTER=mymaster",
		"STEADIS_SENTINEL_AUTH_PASSWORD=sentinelsecret", "STEADIS_UPSTREAM_PASSWORD=nodesecret"}
	socket := filepath.Join(t.TempDir(), "s")
	free, err := topology.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}

	code, stdout, stderr := steadis(ctx, environ, "check", "--listen", "127.0.0.1:0,unix:"+socket, "--admin", free, "--limits-clients", "100")
	for _, want := range []string{"SENTINEL ", deployment.Nodes[0].Addr() + ", announced by at least 2 of 3 Sentinels", "says: master", "free", "\nserve would work.\n"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Fatalf("check ended with %d and lacks %q:\n%s%s", code, want, stdout, stderr)
		}
	}
	code, stdout, _ = steadis(ctx, append(environ, "STEADIS_MASTER=other"), "check", "--listen", "127.0.0.1:0", "--admin", "", "--json")
	var report checkReport
	if err := json.Unmarshal([]byte(stdout), &report); code != 1 || err != nil || report.OK || !strings.Contains(report.Problem, "no Sentinel monitors a master of that name") {
		t.Errorf("check of an unknown name: %d, %v\n%s", code, err, stdout)
	}

	serving, stop := context.WithCancel(ctx)
	defer stop()
	ended, log := make(chan int, 1), &output{}
	go func() {
		ended <- Main(serving, []string{"serve", "--listen", "unix:" + socket, "--admin", free}, environ, io.Discard, log)
	}()
	if err := awaitReady(ctx, free); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
	code, stdout, _ = steadis(ctx, environ, "check", "--listen", "unix:"+socket, "--admin", free, "--limits-clients", "100")
	if code != 0 || !strings.Contains(stdout, "in use; a steadis runs here already") {
		t.Errorf("check next to serve ended with %d:\n%s", code, stdout)
	}
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
