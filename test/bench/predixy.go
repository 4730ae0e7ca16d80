package main

import (
	"context"
	"fmt"
	"strings"

	"steadis/test/topology"
)

// startPredixy starts the predixy that was given, before the Sentinels, with one worker
// thread as in its own figures.
func startPredixy(ctx context.Context, b *bench, dir string) (*running, error) {
	addr, err := topology.FreeAddr()
	if err != nil {
		return nil, err
	}
	d := b.rig.deployment
	config := predixyConfig(addr, d.Name(), strings.Split(d.SentinelAddrs(), ","))
	return startPeer(ctx, b.options.predixy, dir, config, func(file string) []string { return []string{file} }, running{name: predixy, addr: addr})
}

func predixyConfig(listen, master string, sentinels []string) string {
	return fmt.Sprintf(`Name bench
Bind %s
WorkerThreads 1
ClientTimeout 0
Authority {
    Auth {
        Mode admin
    }
}
SentinelServerPool {
    Databases 16
    Hash crc16
    HashTag "{}"
    Distribution modula
    RefreshInterval 1
    ServerFailureLimit 10
    ServerRetryTimeout 1
    Sentinels {
        + %s
    }
    Group %s {
    }
}
`, listen, strings.Join(sentinels, "\n        + "), master)
}
