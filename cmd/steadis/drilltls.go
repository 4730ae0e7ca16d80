package main

import (
	"crypto/tls"
	"net"
	"strings"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"steadis/cmd/internal/certs"
	"steadis/cmd/internal/drill"
	"steadis/config"
	"steadis/test/workload"
)

// addrTLSPrefix begins the proxy's address where it speaks TLS, as in its own listen.
const addrTLSPrefix = "tls://"

// addTLSFlags adds what a drill needs towards the proxy; the configuration has what it needs
// towards Sentinels and nodes.
func addTLSFlags(flags *pflag.FlagSet, t *config.DialTLS) {
	flags.StringVar(&t.CAFile, "addr-ca-file", "", "With --addr tls://...: authorities that sign the proxy's certificate (default: the system's)")
	flags.StringVar(&t.CertFile, "addr-cert-file", "", "Certificate to show to the proxy")
	flags.StringVar(&t.KeyFile, "addr-key-file", "", "Its private key")
	flags.StringVar(&t.ServerName, "addr-server-name", "", "Name that the proxy's certificate must be for (default: the host of --addr)")
}

// secureAddr takes tls:// off the proxy's address, and dials with TLS if it was there.
func secureAddr(o *drill.Options, t config.DialTLS) error {
	addr, secure := strings.CutPrefix(o.Addr, addrTLSPrefix)
	if !secure {
		return nil
	}
	t.MinVersion = config.TLS12
	k, err := certs.New("addr", zap.NewNop(), certs.Source{
		Files: t.Files(), Read: func() (*tls.Config, error) { return t.Read("--addr") },
	})
	if err != nil {
		return err
	}
	o.Addr, o.Dial = addr, workload.Dialer(k.Dialer((&net.Dialer{}).DialContext))
	return nil
}
