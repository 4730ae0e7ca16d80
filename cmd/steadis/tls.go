package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/cmd/internal/certs"
	"steadis/config"
	"steadis/proxy/entrance"
)

// legs are what TLS needs on the three legs. Each keeper is there also without TLS, so
// that a reload can turn it on.
type legs struct {
	clients, upstream, sentinel *certs.Keeper
}

// newLegs reads the files that c names. The error is config.Faults.
func newLegs(c *config.Config, log *zap.Logger, registry prometheus.Registerer) (*legs, error) {
	l, sources := &legs{}, legSources(c)
	for i, k := range l.all() {
		made, err := certs.New(legNames[i], log, sources[i])
		if err != nil {
			return nil, err
		}
		*k = made
	}
	if registry != nil {
		if err := registry.Register(certs.Collector{l.clients, l.upstream, l.sentinel}); err != nil {
			return nil, err
		}
	}
	return l, nil
}

var legNames = [3]string{"clients", "upstream", "sentinel"}

func (l *legs) all() [3]**certs.Keeper {
	return [3]**certs.Keeper{&l.clients, &l.upstream, &l.sentinel}
}

// legSources says what the keepers keep under c, in the order of legNames.
func legSources(c *config.Config) [3]certs.Source {
	dial := func(section string, t config.DialTLS) certs.Source {
		if !t.Enabled {
			return certs.Source{}
		}
		return certs.Source{Files: t.Files(), Read: func() (*tls.Config, error) { return t.Read(section) }}
	}
	var listen certs.Source
	if c.TLS.CertFile != "" {
		listen = certs.Source{Files: c.TLS.Files(), Read: c.TLS.Read}
	}
	upstream := c.UpstreamTLS
	if c.Discovery == config.DiscoveryDNS && upstream.ServerName == "" && len(c.Address) == 1 {
		// What is dialled is an address; what a service's certificate is for is its name.
		upstream.ServerName, _, _ = net.SplitHostPort(c.Address[0])
	}
	return [3]certs.Source{listen, dial("upstream_tls", upstream), dial("sentinel_tls", c.SentinelTLS)}
}

// Replace goes over to another configuration, leg by leg: one whose files cannot be used
// stays as it was, and is in the error. Connections that exist go on.
func (l *legs) Replace(c *config.Config) error {
	var all error
	sources := legSources(c)
	for i, k := range l.all() {
		all = errors.Join(all, (*k).Replace(sources[i]))
	}
	return all
}

// Run looks at the files of all legs now and then, until ctx ends.
func (l *legs) Run(ctx context.Context) error {
	return certs.Watch(ctx, l.clients, l.upstream, l.sentinel)
}

// admit makes listeners for clients of those that were opened, of which secured says
// whether they speak TLS: what they accept has passed TLS and the PROXY protocol, where these are wanted.
func (l *legs) admit(c *config.Config, log *zap.Logger, registry prometheus.Registerer, notTLS []byte, opened []net.Listener, secured []bool) ([]net.Listener, error) {
	senders := c.ProxySenders()
	e, err := entrance.New(entrance.Options{Log: log, Registry: registry, Networks: senders.Networks, Unix: senders.Unix, NotTLS: notTLS})
	if err != nil {
		return nil, err
	}
	admitted := make([]net.Listener, len(opened))
	for i, ln := range opened {
		var secure func() *tls.Config
		if secured[i] {
			secure = l.clients.Config
		}
		admitted[i] = e.Listen(ln, secure)
	}
	return admitted, nil
}
