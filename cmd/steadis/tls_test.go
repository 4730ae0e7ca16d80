package main

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/config"
	"steadis/test/certificate"
)

// tlsConfig is a configuration with TLS for clients, whose certificate is pair.
func tlsConfig(pair certificate.Pair) *config.Config {
	return &config.Config{
		Listen: []string{"127.0.0.1:0", "tls://127.0.0.1:0"},
		TLS:    config.ListenTLS{CertFile: pair.CertFile, KeyFile: pair.KeyFile, MinVersion: config.TLS12},
	}
}

// TestLegsReload: files are read again on demand; another configuration turns TLS on and off; what
// cannot be used changes nothing.
func TestLegsReload(t *testing.T) {
	dir := t.TempDir()
	ca, err := certificate.NewAuthority(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	issue := func() certificate.Pair {
		pair, err := ca.Issue("a", certificate.Request{})
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	c := tlsConfig(issue())
	registry := prometheus.NewPedanticRegistry()
	l, err := newLegs(c, zap.NewNop(), registry)
	if err != nil {
		t.Fatal(err)
	}
	if l.upstream.Config() != nil || l.sentinel.Config() != nil {
		t.Error("legs without TLS have some")
	}
	next := issue()
	if err := l.Replace(c); err != nil || l.clients.Config().Certificates[0].Leaf.SerialNumber.Cmp(next.Serial) != 0 {
		t.Errorf("the new certificate is not shown: %v", err)
	}
	with := *c
	with.UpstreamTLS = config.DialTLS{Enabled: true, CAFile: ca.File, MinVersion: config.TLS13}
	if err := l.Replace(&with); err != nil || l.upstream.Config() == nil {
		t.Errorf("TLS upstream is not turned on: %v", err)
	}
	broken := with
	broken.UpstreamTLS.CAFile = dir + "/none"
	if err := l.Replace(&broken); err == nil || l.upstream.Config() == nil {
		t.Errorf("an authority that is absent: %v", err)
	}
	if err := l.Replace(c); err != nil || l.upstream.Config() != nil {
		t.Errorf("TLS upstream is not turned off: %v", err)
	}
	if _, err := registry.Gather(); err != nil {
		t.Error(err)
	}
}

// TestAdmit: of a plain listener and one for TLS, only the latter is changed.
func TestAdmit(t *testing.T) {
	ca, pair := certificate.Issued(t, "a")
	c := tlsConfig(pair)
	l, err := newLegs(c, zap.NewNop(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := openSockets(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer sockets.close()
	var opened []net.Listener
	for _, socket := range sockets.clients() {
		opened = append(opened, socket.Listener)
	}
	admitted, err := l.admit(c, zap.NewNop(), nil, nil, opened, sockets.secured())
	if err != nil {
		t.Fatal(err)
	}
	if admitted[0] != opened[0] || admitted[1] == opened[1] {
		t.Error("the wrong listener speaks TLS")
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		nc, _ := admitted[1].Accept()
		accepted <- nc
	}()
	client, err := ca.Client()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := tls.Dial("tcp", opened[1].Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if nc := <-accepted; nc != nil {
		nc.Close()
	}
}
