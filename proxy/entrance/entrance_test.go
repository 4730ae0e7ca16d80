package entrance_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"steadis/proxy/entrance"
	"steadis/test/certificate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const notTLS = "-ERR not TLS\r\n"

// stage is an Entrance with one listener, on which clients are greeted with their
// addresses.
type stage struct {
	t        *testing.T
	ln       net.Listener
	client   *tls.Config
	logs     *observer.ObservedLogs
	registry *prometheus.Registry
}

// open makes a stage; secure says that clients speak TLS.
func open(t *testing.T, o entrance.Options, secure bool, network, addr string) *stage {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	s := &stage{t: t, logs: logs, registry: prometheus.NewRegistry()}
	o.Log, o.Registry, o.NotTLS = zap.New(core), s.registry, []byte(notTLS)
	e, err := entrance.New(o)
	if err != nil {
		t.Fatal(err)
	}
	below, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	var config func() *tls.Config
	if secure {
		ca, pair := certificate.Issued(t, "server")
		loaded, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		server := &tls.Config{Certificates: []tls.Certificate{loaded}}
		config = func() *tls.Config { return server }
		if s.client, err = ca.Client(); err != nil {
			t.Fatal(err)
		}
	}
	s.ln = e.Listen(below, config)
	var greeting sync.WaitGroup
	greeting.Go(func() { greet(s.ln) })
	t.Cleanup(func() { s.ln.Close(); greeting.Wait() })
	return s
}

// greet tells each client who it is.
func greet(ln net.Listener) {
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		fmt.Fprintf(nc, "%v %v\n", nc.RemoteAddr(), nc.LocalAddr())
		nc.Close()
	}
}

// connect sends raw bytes and, if the stage has TLS and with is true, shakes hands.
func (s *stage) connect(raw string, with bool) (greeting string, err error) {
	s.t.Helper()
	nc, err := net.Dial(s.ln.Addr().Network(), s.ln.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(nc, raw); err != nil {
		return "", err
	}
	if with {
		nc = tls.Client(nc, s.client)
	}
	return bufio.NewReader(nc).ReadString('\n')
}

// refused reads the counter.
func (s *stage) refused(reason string) float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "steadis_entrance_refused_total" && m.GetLabel()[0].GetValue() == reason {
				return m.GetCounter().GetValue()
			}
		}
	}
	return -1
}

// awaitRefused waits until so many have been refused for the reason.
func (s *stage) awaitRefused(reason string, want float64) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); s.refused(reason) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: %v refused, want %v", reason, s.refused(reason), want)
		}
	}
}

var everybody = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

const header = "PROXY TCP4 10.0.0.1 10.0.0.2 51000 6379\r\n"

func TestHeaderBeforeTLS(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := open(t, entrance.Options{Networks: everybody}, secure, "tcp", "127.0.0.1:0")
		if got, err := s.connect(header, secure); got != "10.0.0.1:51000 10.0.0.2:6379\n" || err != nil {
			t.Errorf("TLS %v: %q %v", secure, got, err)
		}
		if got, err := s.connect("", secure); err == nil {
			t.Errorf("TLS %v, without a header: %q", secure, got)
		}
	}
}

func TestWhoSendsHeaders(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	tests := []struct {
		o       entrance.Options
		network string
		wanted  bool
	}{
		{entrance.Options{Networks: everybody}, "tcp", true},
		{entrance.Options{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, "tcp", true},
		{entrance.Options{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, "tcp", false},
		{entrance.Options{Unix: true}, "tcp", false},
		{entrance.Options{Unix: true}, "unix", true},
		{entrance.Options{Networks: everybody}, "unix", false},
	}
	for _, tt := range tests {
		addr := "127.0.0.1:0"
		if tt.network == "unix" {
			addr = socket
		}
		s := open(t, tt.o, false, tt.network, addr)
		raw, want := "", ""
		if tt.wanted {
			raw, want = header, "10.0.0.1:51000 10.0.0.2:6379\n"
		}
		if got, err := s.connect(raw, false); err != nil || tt.wanted && got != want {
			t.Errorf("%+v over %s: %q %v", tt.o, tt.network, got, err)
		}
		s.ln.Close()
	}
}

func TestNothingToPass(t *testing.T) {
	e, err := entrance.New(entrance.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if e.Listen(ln, nil) != ln {
		t.Error("a listener with nothing to pass is not itself")
	}
}

// TestRefusals: each is counted, and one line is logged for many that are alike.
func TestRefusals(t *testing.T) {
	s := open(t, entrance.Options{Networks: everybody, Time: time.Second}, true, "tcp", "127.0.0.1:0")
	for range 5 {
		if got, err := s.connect("PING\r\n", false); err == nil {
			t.Errorf("no header: %q", got)
		}
	}
	s.awaitRefused("proxy_protocol", 5)
	if got, _ := s.connect(header+"*1\r\n$4\r\nPING\r\n", false); got != notTLS {
		t.Errorf("no TLS: %q", got)
	}
	s.awaitRefused("tls", 1)
	if got, err := s.connect(header, false); err == nil {
		t.Errorf("no handshake: %q", got)
	}
	if got, err := s.connect("PROXY", false); err == nil {
		t.Errorf("half a header: %q", got)
	}
	s.awaitRefused("timeout", 2)
	nc, err := net.Dial("tcp", s.ln.Addr().String()) // looks whether the port is open
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if got, err := s.connect(header, true); got == "" || err != nil {
		t.Errorf("a good one: %q %v", got, err)
	}
	if n := s.logs.Len(); n != 3 {
		t.Errorf("%d lines in the log, want one for each reason: %v", n, s.logs.All())
	}
	line := s.logs.FilterField(zap.String("reason", "tls")).All()
	if len(line) != 1 || line[0].ContextMap()["addr"] != "10.0.0.1:51000" {
		t.Errorf("the client that the header names is not in the log: %v", line)
	}
}

// TestTooMany: those who say nothing keep nobody out.
func TestTooMany(t *testing.T) {
	s := open(t, entrance.Options{Most: 10, Time: time.Minute}, true, "tcp", "127.0.0.1:0")
	var idle []net.Conn
	for range 25 {
		nc, err := net.Dial("tcp", s.ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		idle = append(idle, nc)
	}
	s.awaitRefused("crowded", 15)
	if got, err := s.connect("", true); got == "" || err != nil {
		t.Errorf("a good one: %q %v", got, err)
	}
	if _, err := idle[0].Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("the oldest is still there: %v", err)
	}
}

// flaky is a listener whose Accept fails once.
type flaky struct {
	net.Listener
	once sync.Once
}

var errNoFiles = errors.New("too many open files")

func (f *flaky) Accept() (net.Conn, error) {
	failed := false
	f.once.Do(func() { failed = true })
	if failed {
		return nil, errNoFiles
	}
	return f.Listener.Accept()
}

// TestAcceptFails: the caller hears of it, and may go on.
func TestAcceptFails(t *testing.T) {
	e, err := entrance.New(entrance.Options{Networks: everybody})
	if err != nil {
		t.Fatal(err)
	}
	below, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := e.Listen(&flaky{Listener: below}, nil)
	defer ln.Close()
	if _, err := ln.Accept(); !errors.Is(err, errNoFiles) {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, header); err != nil {
		t.Fatal(err)
	}
	got, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	got.Close()
}

// TestCloseEndsEverything: also who has passed and was not accepted; goleak looks.
func TestCloseEndsEverything(t *testing.T) {
	e, err := entrance.New(entrance.Options{Networks: everybody, Time: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	below, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := e.Listen(below, nil)
	for _, raw := range []string{"", "PROXY", header} {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := io.WriteString(nc, raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
