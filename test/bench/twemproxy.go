package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"

	"steadis/test/topology"
)

// startTwemproxy starts nutcracker with a pool of one server. What is not set is as its
// manual and Debian have it.
func startTwemproxy(ctx context.Context, b *bench, dir string) (*running, error) {
	addr, err := topology.FreeAddr()
	if err != nil {
		return nil, err
	}
	statistics, err := topology.FreeAddr()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(statistics)
	if err != nil {
		return nil, err
	}
	args := func(file string) []string {
		return []string{"-c", file, "-a", "127.0.0.1", "-s", port, "-p", filepath.Join(dir, "nutcracker.pid"), "-o", filepath.Join(dir, "nutcracker.out")}
	}
	return startPeer(ctx, "nutcracker", dir, twemproxyConfig(addr, b.rig.master.Addr()), args, running{name: twemproxy, addr: addr})
}

// twemproxyConfig has a backlog for 5,000 clients that come at once; 512 is the default.
func twemproxyConfig(listen, redis string) string {
	return fmt.Sprintf(`bench:
  listen: %s
  hash: fnv1a_64
  distribution: ketama
  redis: true
  auto_eject_hosts: false
  preconnect: true
  backlog: 4096
  servers:
   - %s:1
`, listen, redis)
}
