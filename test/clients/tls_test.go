package clients

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"steadis/test/certificate"
	"steadis/test/topology"
)

// redis-py over TLS, with both parsers: only its URL is another one.
func TestRedisPyOverTLS(t *testing.T) {
	onlyFigures(t)
	var over []library
	for _, l := range installedLibraries(t) {
		if strings.HasPrefix(l.name, "redis-py") {
			over = append(over, l)
		}
	}
	ca, pair := certificate.Issued(t, "server")
	addr, err := topology.FreeAddr()
	must(t, err)
	st := newStage(t, topology.Options{}, "--durable-replicas", "1", "--listen", "tls://"+addr, "--tls-cert-file", pair.CertFile, "--tls-key-file", pair.KeyFile)
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	secured := url.URL{Scheme: "rediss", Host: net.JoinHostPort("localhost", port), RawQuery: url.Values{
		"ssl_ca_certs": {ca.File}, "ssl_check_hostname": {"true"},
	}.Encode()}
	for name, reports := range st.use(t, over, func() { st.failOvers(t, rounds(t), all...) }, "REDIS_URL="+secured.String()) {
		s := sumUp(reports)
		recorded.row(t, name+", TLS", eachKind(t)+", durable"+st.late(t), "%v", s)
		recorded.user(name+", TLS", versionOf(t, name), fmt.Sprintf("%s (`durable.replicas: 1`)", eachKind(t)), "%v", s)
		for _, r := range reports {
			r.judgeCrash(t, name+", TLS")
		}
	}
}
