package topology

import (
	"context"
	"crypto/tls"
	"strconv"

	"steadis/test/workload/wire"
)

// TLS is what every process of a deployment speaks, towards clients and among
// themselves.
type TLS struct {
	// CertFile, KeyFile and CAFile are what each process has.
	CertFile, KeyFile, CAFile string
	// AskClients has each process ask whoever connects for a certificate.
	AskClients bool
	// Client is what we connect with.
	Client *tls.Config
}

// lines are the settings of a node, behind those of baseConfig.
func (t *TLS) lines(n *Node) []string {
	if t == nil {
		return nil
	}
	ask := "no"
	if t.AskClients {
		ask = "yes"
	}
	return []string{
		"port 0",
		"tls-port " + strconv.Itoa(n.port),
		"tls-replication yes",
		"tls-cert-file " + t.CertFile,
		"tls-key-file " + t.KeyFile,
		"tls-ca-cert-file " + t.CAFile,
		"tls-auth-clients " + ask,
	}
}

func (t *TLS) client() *tls.Config {
	if t == nil {
		return nil
	}
	return t.Client
}

// dial opens a connection to the process itself.
func (n *Node) dial(ctx context.Context) (*wire.Conn, error) {
	if n.tls == nil {
		return wire.Dial(ctx, n.DirectAddr())
	}
	raw, err := (&tls.Dialer{Config: n.tls}).DialContext(ctx, "tcp", n.DirectAddr())
	if err != nil {
		return nil, err
	}
	return wire.New(raw), nil
}
