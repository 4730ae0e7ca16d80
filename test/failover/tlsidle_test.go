package failover

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"testing"
	"time"

	"steadis/test/certificate"
	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// idleTLS is how many idle clients are measured.
const idleTLS = 2000

// TestIdleTLSClients bounds what an idle TLS client costs steadis, in bytes. One that has sent
// something large keeps crypto/tls' buffer for two records, which cannot be had back.
func TestIdleTLSClients(t *testing.T) {
	program.Path(t)
	ctx := within(t, 4*time.Minute)
	ca, err := certificate.NewAuthority(t.TempDir(), "ca")
	must(t, err)
	server, err := ca.Issue("server", certificate.Request{})
	must(t, err)
	config, err := ca.Client()
	must(t, err)
	d := startDeployment(t, topology.Options{Replicas: -1, Sentinels: 1})
	for _, tt := range []struct {
		name        string
		size, bound int
	}{{"that have said little", 0, 45_000}, {"that have sent and got 100 kB", 100 << 10, 180_000}} {
		addr, err := topology.FreeAddr()
		must(t, err)
		s := startSteadis(t, d.SentinelAddrs(), "--listen", "tls://"+addr, "--tls-cert-file", server.CertFile, "--tls-key-file", server.KeyFile)
		warm(ctx, t, addr, config, 10, tt.size)
		before, err := s.Usage(ctx)
		must(t, err)
		warm(ctx, t, addr, config, idleTLS, tt.size)
		after, err := s.Usage(ctx)
		must(t, err)
		each := (after.RSS - before.RSS) / idleTLS
		if each > int64(tt.bound) {
			t.Errorf("%s: %d bytes for each, want at most %d", tt.name, each, tt.bound)
		}
		measured.record(t, "memory for each idle TLS client, of those "+tt.name, fmt.Sprintf("%d kB", tt.bound/1000), "%.1f kB, of %d", float64(each)/1e3, idleTLS)
	}
}

// warm connects clients, which exchange a value of the size and then rest until the test
// ends.
func warm(ctx context.Context, t *testing.T, addr string, config *tls.Config, n, size int) {
	t.Helper()
	value := string(bytes.Repeat([]byte{'x'}, size))
	for range n {
		raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		must(t, err)
		t.Cleanup(func() { _ = raw.Close() })
		c := tls.Client(raw, config)
		must(t, c.HandshakeContext(ctx))
		reply, err := wire.New(c).Do(ctx, "ECHO", value)
		must(t, err)
		if reply != value {
			t.Fatalf("%d bytes came back", len(reply.(string)))
		}
	}
}
