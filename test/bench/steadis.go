package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"steadis/test/topology"
)

// steadisClients is more than any row has; by default steadis takes 10,000.
const steadisClients = 15000

// startSteadis starts steadis as it is by default, but for the number of clients.
func startSteadis(ctx context.Context, b *bench, dir string) (*running, error) {
	return runSteadis(ctx, b, dir, steadis)
}

func runSteadis(ctx context.Context, b *bench, dir, name string, args ...string) (*running, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	path, err := filepath.Abs(b.options.steadis)
	if err != nil {
		return nil, err
	}
	d := b.rig.deployment
	s, err := topology.RunSteadis(ctx, topology.SteadisOptions{
		Binary: path,
		Args:   append([]string{"--sentinel", d.SentinelAddrs(), "--master", d.Name(), "--limits-clients", strconv.Itoa(steadisClients)}, args...),
		Dir:    dir,
	})
	if err != nil {
		return nil, err
	}
	return &running{name: name, addr: s.Addr, pid: s.PID(), stop: s.Stop}, nil
}

// listenTLS are the flags of `steadis serve` by which it speaks TLS to its clients.
type listenTLS struct{ certificate, key string }

var (
	certificateFlag = regexp.MustCompile(`(?m)^\s+(--(?:listen-|clients?-)?tls-cert(?:ificate)?(?:-file)?)\s`)
	keyFlag         = regexp.MustCompile(`(?m)^\s+(--(?:listen-|clients?-)?tls-(?:private-)?key(?:-file)?)\s`)
)

// tlsFlags finds the flags in what steadis says of itself; nil if it has none.
func tlsFlags(ctx context.Context, steadis string) (*listenTLS, error) {
	help, err := exec.CommandContext(ctx, steadis, "serve", "--help").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s serve --help: %w", filepath.Base(steadis), err)
	}
	return parseTLSFlags(string(help)), nil
}

func parseTLSFlags(help string) *listenTLS {
	certificate, key := certificateFlag.FindStringSubmatch(help), keyFlag.FindStringSubmatch(help)
	if certificate == nil || key == nil {
		return nil
	}
	return &listenTLS{certificate[1], key[1]}
}

// start starts a steadis that speaks TLS to its clients, and nothing else to Redis.
func (l *listenTLS) start(ctx context.Context, b *bench, dir string) (*running, error) {
	certificate, key, err := writeCertificate(dir)
	if err != nil {
		return nil, err
	}
	r, err := runSteadis(ctx, b, dir, steadisTLS, l.certificate, certificate, l.key, key)
	if err == nil {
		r.tls = true
	}
	return r, err
}
