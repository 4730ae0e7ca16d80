package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"steadis/config"
	"steadis/test/certificate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func authority(t *testing.T, name string) *certificate.Authority {
	t.Helper()
	ca, err := certificate.NewAuthority(t.TempDir(), name)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issue(t *testing.T, ca *certificate.Authority, name string, r certificate.Request) certificate.Pair {
	t.Helper()
	pair, err := ca.Issue(name, r)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// listenSource is the source of a listener with the pair.
func listenSource(pair certificate.Pair) Source {
	l := config.ListenTLS{CertFile: pair.CertFile, KeyFile: pair.KeyFile, MinVersion: config.TLS12}
	return Source{Files: l.Files(), Read: l.Read}
}

func keeper(t *testing.T, s Source) (*Keeper, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	k, err := New("clients", zap.New(core), s)
	if err != nil {
		t.Fatal(err)
	}
	return k, logs
}

// loaded is the pair as crypto/tls has it.
func loaded(t *testing.T, pair certificate.Pair) tls.Certificate {
	t.Helper()
	c, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dialKeeper keeps what a leg to servers is dialled with.
func dialKeeper(t *testing.T, leg config.DialTLS) *Keeper {
	t.Helper()
	k, err := New("upstream", zap.NewNop(), Source{Files: leg.Files(), Read: func() (*tls.Config, error) { return leg.Read("upstream_tls") }})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func serial(k *Keeper) *big.Int { return k.Config().Certificates[0].Leaf.SerialNumber }

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKeeperFollowsFiles goes through what happens to files: nothing, a new pair of which
// only one half is there, half a file, no file, all of it.
func TestKeeperFollowsFiles(t *testing.T) {
	ca := authority(t, "ca")
	first := issue(t, ca, "a", certificate.Request{})
	k, logs := keeper(t, listenSource(first))
	was := k.Config()
	k.Look()
	if k.Config() != was || logs.Len() != 0 {
		t.Fatal("files that are as they were are taken for others")
	}
	oldKey, err := os.ReadFile(first.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	second := issue(t, ca, "a", certificate.Request{}) // in the same files
	newKey, err := os.ReadFile(second.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []struct {
		name string
		make func()
	}{
		{"the old key beside the new certificate", func() { write(t, first.KeyFile, oldKey) }},
		{"half a key", func() { write(t, first.KeyFile, newKey[:len(newKey)/2]) }},
		{"no key", func() { os.Remove(first.KeyFile) }},
	} {
		before := logs.Len()
		broken.make()
		for range 3 {
			k.Look()
		}
		if k.Config() != was || logs.Len() != before+1 {
			t.Errorf("%s: kept the former one: %v, %d lines in the log, want 1", broken.name, k.Config() == was, logs.Len()-before)
		}
	}
	if got := gauge(t, k, "steadis_tls_files_unusable"); got != 1 {
		t.Errorf("files that cannot be used show as %v", got)
	}
	write(t, first.KeyFile, newKey)
	k.Look()
	if serial(k).Cmp(second.Serial) != 0 {
		t.Error("the new pair is not taken")
	}
	last := logs.All()[logs.Len()-1]
	if !strings.Contains(last.Message, "were read again") || last.ContextMap()["serial"] != second.Serial.Text(16) {
		t.Errorf("logged %v", last)
	}
	for _, line := range logs.All() {
		for _, field := range line.Context {
			if strings.Contains(field.String, "BEGIN") {
				t.Errorf("a file's contents are in the log: %v", line)
			}
		}
	}
	if got := gauge(t, k, "steadis_tls_files_unusable"); got != 0 {
		t.Errorf("good files show as %v", got)
	}
	if got := gauge(t, k, "steadis_certificate_expiry_timestamp_seconds"); got < float64(time.Now().Unix()) {
		t.Errorf("the certificate ends at %v", got)
	}
}

func gauge(t *testing.T, k *Keeper, name string) float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(Collector{k})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

// TestKeeperMovedLinks: Kubernetes renews secrets by moving a link.
func TestKeeperMovedLinks(t *testing.T) {
	ca, dir := authority(t, "ca"), t.TempDir()
	a, b := issue(t, ca, "a", certificate.Request{}), issue(t, ca, "b", certificate.Request{})
	link := func(p certificate.Pair, name, file string) string {
		at := filepath.Join(dir, name)
		if err := errors.Join(os.Symlink(file, at+".new"), os.Rename(at+".new", at)); err != nil {
			t.Fatal(err)
		}
		return at
	}
	linked := certificate.Pair{CertFile: link(a, "cert", a.CertFile), KeyFile: link(a, "key", a.KeyFile)}
	k, _ := keeper(t, listenSource(linked))
	link(b, "cert", b.CertFile)
	link(b, "key", b.KeyFile)
	k.Look()
	if serial(k).Cmp(b.Serial) != 0 {
		t.Error("a moved link is not noticed")
	}
}

func TestKeeperReplace(t *testing.T) {
	ca := authority(t, "ca")
	a, b := issue(t, ca, "a", certificate.Request{}), issue(t, ca, "b", certificate.Request{})
	k, _ := keeper(t, Source{})
	if k.Look(); k.Config() != nil {
		t.Error("without TLS there is some")
	}
	if err := k.Replace(listenSource(a)); err != nil || serial(k).Cmp(a.Serial) != 0 {
		t.Errorf("turned on: %v", err)
	}
	if err := k.Replace(listenSource(certificate.Pair{CertFile: a.CertFile, KeyFile: b.KeyFile})); err == nil || serial(k).Cmp(a.Serial) != 0 {
		t.Errorf("a pair that does not fit: %v", err)
	}
	next := issue(t, ca, "a", certificate.Request{})
	if err := k.Replace(listenSource(a)); err != nil || serial(k).Cmp(next.Serial) != 0 {
		t.Errorf("the same files, renewed: %v", err)
	}
	os.Remove(a.CertFile)
	if err := k.Replace(listenSource(a)); err == nil || serial(k).Cmp(next.Serial) != 0 {
		t.Errorf("a file that is absent: %v", err)
	}
	if err := k.Replace(Source{}); err != nil || k.Config() != nil {
		t.Errorf("turned off: %v", err)
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := authority(t, "ca")
		k, _ := keeper(t, listenSource(issue(t, ca, "a", certificate.Request{})))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- Watch(ctx, k) }()
		next := issue(t, ca, "a", certificate.Request{})
		time.Sleep(Every + time.Millisecond)
		synctest.Wait()
		if serial(k).Cmp(next.Serial) != 0 {
			t.Error("a change was not noticed in time")
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// serve answers every connection with its first byte, under c; nil: without TLS.
func serve(t *testing.T, c *tls.Config) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			if c == nil {
				_, _ = io.WriteString(nc, "-ERR Protocol error\r\n")
				_, _ = io.Copy(io.Discard, nc)
			} else {
				nc = tls.Server(nc, c)
				_, _ = io.CopyN(nc, nc, 1)
			}
			nc.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-ended })
	return ln.Addr().String()
}

// TestDialer: what a leg accepts of a server and what it shows, and what is said about it.
func TestDialer(t *testing.T) {
	ca, stranger := authority(t, "ca"), authority(t, "stranger")
	own := issue(t, ca, "steadis", certificate.Request{})
	server := func(a *certificate.Authority, r certificate.Request, change func(*tls.Config)) *tls.Config {
		p := issue(t, a, "server", r)
		pair := loaded(t, p)
		c := &tls.Config{Certificates: []tls.Certificate{pair}}
		if change != nil {
			change(c)
		}
		return c
	}
	asks := func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool() }
	leg := config.DialTLS{Enabled: true, CAFile: ca.File, MinVersion: config.TLS12}
	mutual := leg
	mutual.CertFile, mutual.KeyFile = own.CertFile, own.KeyFile
	named, strict := leg, leg
	named.ServerName, strict.MinVersion = "redis.example.org", config.TLS13
	tests := []struct {
		name   string
		leg    config.DialTLS
		server *tls.Config
		want   string // part of the error, "" for none
	}{
		{"a good server, by its address", leg, server(ca, certificate.Request{}, nil), ""},
		{"a good server, by its name", named, server(ca, certificate.Request{Names: []string{"redis.example.org"}}, nil), ""},
		{"both show a certificate", mutual, server(ca, certificate.Request{}, asks), ""},
		{"another authority", leg, server(stranger, certificate.Request{}, nil), "set ca_file to the authority"},
		{"an expired certificate", leg, server(ca, certificate.Request{Expired: true}, nil), "renew the server's certificate"},
		{"another name", named, server(ca, certificate.Request{}, nil), "set server_name to a name"},
		{"an address that is not in the certificate", leg, server(ca, certificate.Request{Names: []string{"redis.example.org"}}, nil), "set server_name to a name"},
		{"too old", strict, server(ca, certificate.Request{}, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), "protocol version"},
		{"it asks for a certificate and there is none", leg, server(ca, certificate.Request{}, asks), "certificate required"},
		{"no TLS", leg, nil, "is this the tls-port?"},
	}
	for _, tt := range tests {
		k := dialKeeper(t, tt.leg)
		err := exchange(t, k, serve(t, tt.server))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// exchange sends a byte and reads it back.
func exchange(t *testing.T, k *Keeper, addr string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	nc, err := k.Dialer((&net.Dialer{}).DialContext)(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	b := []byte{'*'}
	if _, err := nc.Write(b); err != nil {
		return err
	}
	_, err = io.ReadFull(nc, b)
	return err
}

// TestWriteSaysWhatThePeerSaid: the server refuses the client behind the handshake and resets the
// connection, before anybody has read why.
func TestWriteSaysWhatThePeerSaid(t *testing.T) {
	ca := authority(t, "ca")
	p := issue(t, ca, "server", certificate.Request{})
	pair := loaded(t, p)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	refused := make(chan error, 1)
	go func() {
		nc, err := ln.Accept()
		if err == nil {
			err = tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert}).Handshake()
			_ = nc.(*net.TCPConn).SetLinger(0)
			nc.Close()
		}
		refused <- err
	}()
	leg := config.DialTLS{Enabled: true, CAFile: ca.File, MinVersion: config.TLS13}
	k := dialKeeper(t, leg)
	nc, err := k.Dialer((&net.Dialer{}).DialContext)(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if <-refused == nil {
		t.Fatal("the server took a client without a certificate")
	}
	for err == nil {
		_, err = nc.Write([]byte("*"))
	}
	if !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("Write: %v, want the server's reason", err)
	}
}

// TestDialerTakesTheNewest: connections from now on show the certificate that is in the
// files now.
func TestDialerTakesTheNewest(t *testing.T) {
	ca := authority(t, "ca")
	own := issue(t, ca, "steadis", certificate.Request{})
	leg := config.DialTLS{Enabled: true, CAFile: ca.File, CertFile: own.CertFile, KeyFile: own.KeyFile, MinVersion: config.TLS12}
	k := dialKeeper(t, leg)
	seen := make(chan *big.Int, 1)
	p := issue(t, ca, "server", certificate.Request{})
	pair := loaded(t, p)
	addr := serve(t, &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(),
		VerifyConnection: func(s tls.ConnectionState) error { seen <- s.PeerCertificates[0].SerialNumber; return nil },
	})
	for range 2 {
		want := issue(t, ca, "steadis", certificate.Request{}).Serial
		k.Look()
		if err := exchange(t, k, addr); err != nil {
			t.Fatal(err)
		}
		if got := <-seen; got.Cmp(want) != 0 {
			t.Errorf("shown %v, want %v", got, want)
		}
	}
}

// TestCloseDoesNotWait: a frozen server takes no last word.
func TestCloseDoesNotWait(t *testing.T) {
	ca := authority(t, "ca")
	p := issue(t, ca, "server", certificate.Request{})
	pair := loaded(t, p)
	leg := config.DialTLS{Enabled: true, CAFile: ca.File, MinVersion: config.TLS12}
	k := dialKeeper(t, leg)
	near, far := net.Pipe()
	shaken := make(chan error, 1)
	server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{pair}, SessionTicketsDisabled: true})
	go func() { shaken <- server.Handshake() }()
	nc, err := k.Secure(t.Context(), near, "127.0.0.1:6379")
	if err := errors.Join(err, <-shaken); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	nc.Close() // nobody reads the pipe
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Close took %v", took)
	}
	far.Close()
}
