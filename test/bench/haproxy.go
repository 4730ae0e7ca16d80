package main

import (
	"context"
	"fmt"
	"strings"

	"steadis/test/topology"
)

// startHAProxy starts HAProxy as its manual recommends it for Redis: TCP mode, the
// master found with a check that asks for its ROLE, time-outs that do not cut idle
// pools. 0 threads stands for its default, one for each processor.
func startHAProxy(threads int) func(context.Context, *bench, string) (*running, error) {
	return func(ctx context.Context, b *bench, dir string) (*running, error) {
		addr, err := topology.FreeAddr()
		if err != nil {
			return nil, err
		}
		r := running{name: haproxy, addr: addr, clients: (b.rig.files - ownFiles) / 2} // each has a connection to Redis
		if threads == 1 {
			r.name = haproxy1
		}
		config := haproxyConfig(addr, b.rig.master.Addr(), threads, r.clients)
		return startPeer(ctx, "haproxy", dir, config, func(file string) []string { return []string{"-db", "-f", file} }, r)
	}
}

func haproxyConfig(listen, redis string, threads, clients int) string {
	var global strings.Builder
	fmt.Fprintf(&global, "global\n\tmaxconn %d\n", clients)
	if threads > 0 {
		fmt.Fprintf(&global, "\tnbthread %d\n", threads)
	}
	return global.String() + fmt.Sprintf(`defaults
	mode tcp
	timeout connect 5s
	timeout client 1h
	timeout server 1h
frontend redis
	bind %s
	maxconn %d
	default_backend master
backend master
	balance first
	option tcp-check
	tcp-check connect
	tcp-check send role\r\n
	tcp-check expect string master
	server redis %s check inter 2s
`, listen, clients, redis)
}
