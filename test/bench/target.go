package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"steadis/test/topology"
)

// The names of the targets, as the report has them. HAProxy alone is the one with its
// default of a thread for each processor.
const (
	direct     = "direct"
	steadis    = "steadis"
	steadisTLS = "steadis TLS"
	haproxy1   = "HAProxy 1 thread"
	haproxy    = "HAProxy"
	twemproxy  = "twemproxy"
	predixy    = "predixy"
)

// target is a way to reach Redis.
type target struct {
	name  string
	lacks need // what it cannot do
	start func(ctx context.Context, b *bench, dir string) (*running, error)
}

// running is a target that serves.
type running struct {
	name    string
	addr    string
	pid     int // of the proxy; 0 for none
	tls     bool
	clients int // the most that it can have; 0: as many as Redis
	stop    func() error
}

// direct is Redis itself.
func (r *rig) direct() *running {
	return &running{name: direct, addr: r.master.Addr(), stop: func() error { return nil }}
}

// targets are those that this machine has, and remarks about the others.
func (b *bench) findTargets() (found []target, remarks []string, err error) {
	only, err := regexp.Compile(b.options.targets)
	if err != nil {
		return nil, nil, fmt.Errorf("-targets: %w", err)
	}
	found = []target{
		{name: direct, lacks: aProxy | followable, start: func(context.Context, *bench, string) (*running, error) { return b.rig.direct(), nil }},
		{name: steadis, start: startSteadis},
		{name: steadisTLS, lacks: plaintext | followable, start: startSteadisTLS},
	}
	peers := []struct {
		program string
		targets []target
	}{
		{"haproxy", []target{
			{name: haproxy1, lacks: followable, start: startHAProxy(1)},
			{name: haproxy, lacks: followable, start: startHAProxy(0)},
		}},
		{"nutcracker", []target{{name: twemproxy, lacks: transactions | pubsub | blocking | followable, start: startTwemproxy}}},
		{b.options.predixy, []target{{name: predixy, lacks: followable, start: startPredixy}}},
	}
	for _, peer := range peers {
		if peer.program == "" {
			continue
		}
		if _, err := program(peer.program); err != nil {
			remarks = append(remarks, err.Error())
			continue
		}
		for _, t := range peer.targets {
			if only.MatchString(t.name) {
				found = append(found, t)
			}
		}
	}
	return found, remarks, nil
}

// program finds a program, also where only root looks for it.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path, err := exec.LookPath(filepath.Join("/usr/sbin", name))
	if err != nil {
		return "", fmt.Errorf("%s is not installed and was not measured: test/setup.sh --bench installs it", filepath.Base(name))
	}
	return path, nil
}

// startPeer starts another proxy with a configuration file of its own and returns once
// it lets commands through. args are given the path of that file.
func startPeer(ctx context.Context, name, dir, config string, args func(file string) []string, r running) (*running, error) {
	path, err := program(name)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, filepath.Base(name)+".conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	p, err := topology.RunProgram(nil, path, args(file), dir)
	if err != nil {
		return nil, err
	}
	if err := awaitService(ctx, p, r.addr); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, p.LogTail()), p.Kill())
	}
	r.pid, r.stop = p.PID(), p.Kill
	return &r, nil
}
