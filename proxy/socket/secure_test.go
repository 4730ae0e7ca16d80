package socket_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"steadis/proxy/socket"
	"steadis/test/certificate"
)

// configs makes the two ends' configurations.
func configs(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	ca, pair := certificate.Issued(t, "server")
	loaded, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	if client, err = ca.Client(); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{loaded}, DynamicRecordSizingDisabled: true}, client
}

// sockets connects two ends over TCP.
func sockets(t testing.TB) (near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if far, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	for _, nc := range []net.Conn{near, far} {
		if err := nc.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	return near, far
}

// pair makes a connection whose handshake is through.
func pair(t testing.TB) (*socket.Secure, *tls.Conn) {
	t.Helper()
	server, client := configs(t)
	near, far := sockets(t)
	c := tls.Client(far, client)
	shaken := make(chan error, 1)
	go func() { shaken <- c.Handshake() }()
	s, err := socket.Server(t.Context(), near, socket.Configure(server, make(socket.Turns, 1)))
	if err := errors.Join(err, <-shaken); err != nil {
		t.Fatal(err)
	}
	return s, c
}

// pattern is bytes in which a gap or a repetition would show.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16)
	}
	return b
}

// TestTryNeverWaits: a client that reads nothing does not hold up who writes to it, and
// then gets every byte in order, whichever way the rest is written.
func TestTryNeverWaits(t *testing.T) {
	s, c := pair(t)
	want := pattern(24 << 20)
	try := socket.TryWriter(s)
	sent, whole := 0, true
	for whole {
		n, ok, err := try(want[sent : sent+min(100<<10, len(want)-sent)])
		if err != nil {
			t.Fatal(err)
		}
		sent, whole = sent+n, ok
		if sent == len(want) {
			t.Fatal("the socket takes everything")
		}
	}
	for range 10 { // the socket is full: nothing is taken
		if n, ok, err := try(want[sent:]); n != 0 || ok || err != nil {
			t.Fatalf("%d %v %v", n, ok, err)
		}
	}
	got := make(chan []byte, 1)
	go func() {
		b := make([]byte, len(want))
		_, _ = io.ReadFull(c, b)
		got <- b
	}()
	for sent < len(want) { // now this way, now that one
		n, err := s.Write(want[sent : sent+min(1<<20, len(want)-sent)])
		if err != nil {
			t.Fatal(err)
		}
		sent += n
		n, _, err = try(want[sent : sent+min(300<<10, len(want)-sent)])
		if err != nil {
			t.Fatal(err)
		}
		sent += n
	}
	if _, err := s.Write(nil); err != nil { // what try has left
		t.Fatal(err)
	}
	if !bytes.Equal(<-got, want) {
		t.Error("the client got something else")
	}
}

// TestCloseNeverWaits: neither with a full socket nor while somebody waits to write.
func TestCloseNeverWaits(t *testing.T) {
	for _, waiting := range []bool{false, true} {
		s, _ := pair(t)
		try := socket.TryWriter(s)
		b := pattern(1 << 20)
		for whole := true; whole; {
			var err error
			if _, whole, err = try(b); err != nil {
				t.Fatal(err)
			}
		}
		wrote := make(chan error, 1)
		if waiting {
			go func() { _, err := s.Write(b); wrote <- err }()
		} else {
			wrote <- net.ErrClosed
		}
		began := time.Now()
		if err := s.SetLinger(0); err != nil {
			t.Error(err)
		}
		_ = s.Close()
		if err := <-wrote; err == nil {
			t.Error("Write went on")
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("waiting %v: Close took %v", waiting, took)
		}
	}
}

// TestReadsWhileFull: a client that reads nothing is read all the same.
func TestReadsWhileFull(t *testing.T) {
	s, c := pair(t)
	try := socket.TryWriter(s)
	b := pattern(1 << 20)
	for whole := true; whole; {
		var err error
		if _, whole, err = try(b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 6)
	if _, err := io.ReadFull(s, got); err != nil || string(got) != "PING\r\n" {
		t.Errorf("%q %v", got, err)
	}
}

func TestSilentClients(t *testing.T) {
	server, _ := configs(t)
	config := socket.Configure(server, nil)
	for _, tt := range []struct {
		name   string
		does   func(far net.Conn)
		silent bool
	}{
		{"hangs up", func(far net.Conn) { far.Close() }, true},
		{"resets", func(far net.Conn) { _ = far.(*net.TCPConn).SetLinger(0); far.Close() }, true},
		{"speaks no TLS", func(far net.Conn) { _, _ = io.WriteString(far, "PING\r\n"); far.Close() }, false},
		{"says half a record", func(far net.Conn) { _, _ = far.Write([]byte{22, 3, 1, 1}); far.Close() }, false},
	} {
		near, far := sockets(t)
		tt.does(far)
		_, err := socket.Server(t.Context(), near, config)
		if err == nil || errors.Is(err, socket.ErrSilent) != tt.silent {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestTurns: one handshake computes at a time, but who is slow to answer keeps none waiting.
func TestTurns(t *testing.T) {
	server, client := configs(t)
	config := socket.Configure(server, make(socket.Turns, 1))
	near, far := sockets(t)
	ctx, cancel := context.WithCancel(t.Context())
	slow := make(chan error, 1)
	go func() { _, err := socket.Server(ctx, near, config); slow <- err }()
	hello := tls.Client(&mute{Conn: far}, client)
	go func() { _ = hello.Handshake() }() // says hello and hears no more
	b := make([]byte, 1)
	if _, err := io.ReadFull(far, b); err != nil { // the server has computed
		t.Fatal(err)
	}
	for range 3 {
		near, far := sockets(t)
		other := make(chan error, 1)
		go func() { other <- tls.Client(far, client).Handshake() }()
		if _, err := socket.Server(t.Context(), near, config); err != nil {
			t.Fatal(err)
		}
		if err := <-other; err != nil {
			t.Error(err)
		}
	}
	cancel()
	if err := <-slow; err == nil {
		t.Error("the slow one came through")
	}
}

// mute is a connection of which nothing is read.
type mute struct{ net.Conn }

func (m *mute) Read([]byte) (int, error) { return 0, io.EOF }

func TestNamed(t *testing.T) {
	near, far := sockets(t)
	named := &socket.Named{Conn: near, Remote: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}, Local: &net.TCPAddr{Port: 2}}
	if named.RemoteAddr().String() != "10.0.0.1:1" || named.LocalAddr().String() != ":2" {
		t.Error(named.RemoteAddr(), named.LocalAddr())
	}
	if n, whole, err := socket.TryWriter(named)([]byte("hi")); n != 2 || !whole || err != nil {
		t.Error(n, whole, err)
	}
	got := make([]byte, 2)
	if _, err := io.ReadFull(far, got); err != nil || string(got) != "hi" {
		t.Errorf("%q %v", got, err)
	}
	if socket.TryWriter(&mute{Conn: near}) != nil {
		t.Error("what is no socket is tried")
	}
}

// BenchmarkTry writes replies of a GET to a client that reads them.
func BenchmarkTry(b *testing.B) {
	s, c := pair(b)
	go func() { _, _ = io.Copy(io.Discard, c) }()
	try := socket.TryWriter(s)
	reply := []byte("$5\r\nvalue\r\n")
	b.ReportAllocs()
	for b.Loop() {
		n, whole, err := try(reply)
		if err != nil {
			b.Fatal(err)
		}
		if !whole {
			if _, err := s.Write(reply[n:]); err != nil {
				b.Fatal(err)
			}
		}
	}
	_ = s.Close()
}
