package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answers is what a test's server says.
type answers struct {
	ready  bool
	why    string
	live   error
	status any
}

func newServer(t *testing.T, a *answers) *Server {
	t.Helper()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "steadis_test_total", Help: "A test."})
	registry.MustRegister(counter)
	counter.Add(3)
	s, err := New(Options{
		Ready:    func() (bool, string) { return a.ready, a.why },
		Live:     func() error { return a.live },
		Status:   func(string) any { return a.status },
		Gatherer: registry,
		Log:      zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnswers(t *testing.T) {
	status := map[string]any{"phase": "serving"}
	good := answers{ready: true, why: "serving 10.0.0.1:6379", status: status}
	tests := []struct {
		name, method, path string
		answers            answers
		code               int
		kind, body         string
	}{
		{"alive", "GET", "/livez", good, 200, "text/plain", "alive\n"},
		{"not alive", "GET", "/livez", answers{live: errors.New("stuck")}, 503, "text/plain", "stuck\n"},
		{"ready", "GET", "/readyz", good, 200, "text/plain", "serving 10.0.0.1:6379\n"},
		{"ready, headers only", "HEAD", "/readyz", good, 200, "text/plain", ""},
		{"not ready", "GET", "/readyz", answers{why: "no master since 31 s"}, 503, "text/plain", "no master since 31 s\n"},
		{"status", "GET", "/api/status", good, 200, "application/json", "{\n  \"phase\": \"serving\"\n}\n"},
		{"status that is none", "GET", "/api/status", answers{status: func() {}}, 500, "text/plain", "cannot be written as JSON"},
		{"metrics", "GET", "/metrics", good, 200, "text/plain", "steadis_test_total 3\n"},
		{"index", "GET", "/", good, 200, "text/html", `<a href="readyz">`},
		{"unknown path", "GET", "/nothing", good, 404, "text/plain", "not found"},
		{"path below another", "GET", "/livez/x", good, 404, "text/plain", "not found"},
		{"wrong method", "POST", "/readyz", good, 405, "text/plain", "Method Not Allowed"},
		{"wrong method on metrics", "DELETE", "/metrics", good, 405, "text/plain", "Method Not Allowed"},
		{"wrong method on the index", "PUT", "/", good, 405, "text/plain", "Method Not Allowed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(newServer(t, &test.answers))
			defer server.Close()
			request, err := http.NewRequestWithContext(t.Context(), test.method, server.URL+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := server.Client().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != test.code || !strings.HasPrefix(response.Header.Get("Content-Type"), test.kind) || !strings.Contains(string(body), test.body) {
				t.Errorf("got %d %s %q", response.StatusCode, response.Header.Get("Content-Type"), body)
			}
			if test.code == 405 && response.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow is %q", response.Header.Get("Allow"))
			}
			if response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers: %v", response.Header)
			}
		})
	}
}

func TestStatusIsJSON(t *testing.T) {
	recorder := httptest.NewRecorder()
	newServer(t, &answers{status: map[string]any{"a": []int{1, 2}}}).ServeHTTP(recorder, httptest.NewRequest("GET", "/api/status", nil))
	var got map[string][]int
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil || len(got["a"]) != 2 {
		t.Errorf("%v in %s", err, recorder.Body)
	}
}

func TestNewNeedsItsOptions(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("made a server of nothing")
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// TestServeEndsClean has one connection idle and one in the middle of its request
// when the server is told to stop. TestMain sees whether anything stays behind.
func TestServeEndsClean(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, listener := newServer(t, &answers{ready: true, why: "serving"}), listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, listener) }()

	dial := func() net.Conn {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	idle, slow := dial(), dial()
	defer idle.Close()
	defer slow.Close()
	fmt.Fprint(idle, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(idle), nil)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%v %v", response, err)
	}
	response.Body.Close()
	fmt.Fprint(slow, "GET /readyz HTTP/1.1\r\nHo")

	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	goleak.VerifyNone(t, before) // at once, not when the slow one's time is over
	for _, conn := range []net.Conn{idle, slow} {
		if n, _ := io.Copy(io.Discard, conn); n != 0 { // an end or a reset
			t.Errorf("still got %d bytes", n)
		}
	}
	if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String()); err == nil {
		conn.Close()
		t.Error("still accepts")
	}
}

func TestServeSaysWhyItFailed(t *testing.T) {
	s, listener := newServer(t, &answers{}), listen(t)
	listener.Close()
	err := s.Serve(t.Context(), listener)
	if err == nil || !strings.Contains(err.Error(), "admin server on "+listener.Addr().String()) {
		t.Errorf("got %v", err)
	}
}
