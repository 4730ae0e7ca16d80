package main

import (
	"context"
	"net"
	"path/filepath"
	"strconv"

	"steadis/test/certificate"
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

// startSteadisTLS starts a steadis that speaks TLS to its clients, and nothing else to Redis.
func startSteadisTLS(ctx context.Context, b *bench, dir string) (*running, error) {
	authority, err := certificate.NewAuthority(dir, "authority")
	if err != nil {
		return nil, err
	}
	pair, err := authority.Issue("steadis", certificate.Request{})
	if err != nil {
		return nil, err
	}
	port, err := topology.FreePort()
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	r, err := runSteadis(ctx, b, dir, steadisTLS, "--listen", "tls://"+addr, "--tls-cert-file", pair.CertFile, "--tls-key-file", pair.KeyFile)
	if err == nil {
		r.tls, r.addr = true, addr
	}
	return r, err
}
