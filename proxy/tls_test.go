package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"steadis/proxy"
	"steadis/proxy/entrance"
	"steadis/sentinel/topology"
	"steadis/test/certificate"
)

// secureFront serves a proxy before the redis-server at addr, whose clients send a header
// of the PROXY protocol, then TLS.
func secureFront(t *testing.T, o proxy.Options, addr string) (front string, client *tls.Config) {
	t.Helper()
	ca, pair := certificate.Issued(t, "server")
	loaded, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	if client, err = ca.Client(); err != nil {
		t.Fatal(err)
	}
	e, err := entrance.New(entrance.Options{NotTLS: []byte(proxy.NotTLS), Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	o.Board, o.MasterName = topology.NewBoard(), "mymaster"
	o.Board.Publish(topology.View{Master: addr, Epoch: 1, Generation: 1, Phase: topology.Serving, Since: time.Now()})
	server, err := proxy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{loaded}, DynamicRecordSizingDisabled: true}
	ln := e.Listen(listen(t), func() *tls.Config { return config })
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String(), client
}

// secureClient connects as the client that a header names.
func secureClient(t *testing.T, front string, config *tls.Config, addr string) net.Conn {
	t.Helper()
	raw := dial(t, front)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(raw, "PROXY TCP4 %s 10.9.9.9 %s 6379\r\n", host, port)
	nc := tls.Client(raw, config)
	t.Cleanup(func() { nc.Close() })
	return nc
}

// TestNamedClients: a client has the address that the header names, for CLIENT LIST, CLIENT
// INFO and CLIENT KILL.
func TestNamedClients(t *testing.T) {
	front, config := secureFront(t, proxy.Options{}, realRedis(t))
	a := secureClient(t, front, config, "10.0.0.1:51000")
	b := secureClient(t, front, config, "10.0.0.2:52000")
	ar, br := bufio.NewReader(a), bufio.NewReader(b)
	fmt.Fprint(b, "PING\r\n")
	if line, err := br.ReadString('\n'); line != "+PONG\r\n" {
		t.Fatal(line, err)
	}
	fmt.Fprint(a, "CLIENT LIST\r\n")
	head, err := ar.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	list := make([]byte, atoi(t, head[1:])+2)
	if _, err := io.ReadFull(ar, list); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"addr=10.0.0.1:51000 laddr=10.9.9.9:6379 ", "addr=10.0.0.2:52000 laddr=10.9.9.9:6379 "} {
		if !strings.Contains(string(list), want) {
			t.Errorf("%q is missing from\n%s", want, list)
		}
	}
	if strings.Contains(string(list), "fd=-1 ") {
		t.Errorf("there is no descriptor in\n%s", list)
	}
	fmt.Fprint(a, "CLIENT KILL ADDR 10.0.0.2:52000\r\n")
	if line, err := ar.ReadString('\n'); line != ":1\r\n" {
		t.Fatal(line, err)
	}
	if _, err := br.ReadString('\n'); err == nil {
		t.Error("the killed client lives")
	}
}

func atoi(t *testing.T, line string) (n int) {
	t.Helper()
	if _, err := fmt.Sscanf(line, "%d", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSlowTLSClient: one that asks for much and reads nothing stalls nobody, and then gets
// every byte.
func TestSlowTLSClient(t *testing.T) {
	front, config := secureFront(t, proxy.Options{Limits: proxy.Limits{Output: 256 << 20}}, realRedis(t))
	slow := secureClient(t, front, config, "10.0.0.1:1")
	value := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MB
	fmt.Fprintf(slow, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n", len(value), value)
	br := bufio.NewReaderSize(slow, 64<<10)
	if line, err := br.ReadString('\n'); line != "+OK\r\n" {
		t.Fatal(line, err)
	}
	const times = 60
	fmt.Fprint(slow, strings.Repeat("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", times))
	other := secureClient(t, front, config, "10.0.0.2:1")
	or := bufio.NewReader(other)
	best := time.Hour
	for range 20 {
		began := time.Now()
		fmt.Fprint(other, "STRLEN k\r\n")
		if line, err := or.ReadString('\n'); line != ":1048576\r\n" {
			t.Fatal(line, err)
		}
		best = min(best, time.Since(began))
	}
	if best > bound {
		t.Errorf("the other client waited %v", best)
	}
	for i := range times {
		head, err := br.ReadString('\n')
		if err != nil || atoi(t, head[1:]) != len(value) {
			t.Fatal(i, head, err)
		}
		got := make([]byte, len(value)+2)
		if _, err := io.ReadFull(br, got); err != nil || !bytes.Equal(got[:len(value)], value) {
			t.Fatalf("reply %d is another: %v", i, err)
		}
	}
}

// TestNoMoreTLSClients: who comes too late is told so, encrypted.
func TestNoMoreTLSClients(t *testing.T) {
	front, config := secureFront(t, proxy.Options{Limits: proxy.Limits{Clients: 1}}, realRedis(t))
	first := secureClient(t, front, config, "10.0.0.1:1")
	fmt.Fprint(first, "PING\r\n")
	if line, err := bufio.NewReader(first).ReadString('\n'); line != "+PONG\r\n" {
		t.Fatal(line, err)
	}
	if line, err := bufio.NewReader(secureClient(t, front, config, "10.0.0.2:1")).ReadString('\n'); line != "-ERR max number of clients reached\r\n" {
		t.Errorf("%q %v", line, err)
	}
}
