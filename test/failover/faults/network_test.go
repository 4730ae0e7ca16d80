package faults

import (
	"context"
	"errors"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// The network itself, of both kinds: what is cut between two hosts is cut for each
// direction by itself, and this process can always watch.
func TestNetworkParts(t *testing.T) {
	kinds := []string{"relays"}
	if topology.Isolated() {
		kinds = append(kinds, "namespaces")
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Setenv("TEST_NETWORK", kind)
			network, err := topology.NewNetwork()
			must(t, err)
			defer func() { must(t, network.Close()) }()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			d, err := topology.Start(ctx, topology.Options{Network: network, Dir: t.TempDir(), Replicas: -1, Sentinels: -1})
			must(t, err)
			defer func() { must(t, d.Close()) }()
			client, err := network.ClientHost("client")
			must(t, err)
			checkPaths(ctx, t, network, client, d.Nodes[0])
		})
	}
}

// checkPaths has a client host talk to a server on another host while the paths
// between them break.
func checkPaths(ctx context.Context, t *testing.T, network *topology.Network, client *topology.Host, server *topology.Node) {
	t.Helper()
	here, there := []*topology.Host{client}, []*topology.Host{server.Host}
	for _, step := range []struct {
		name  string
		apply func() error
		whole bool
	}{
		{"untouched", func() error { return nil }, true},
		{"cut there", func() error { return network.Cut(here, there) }, false},
		{"healed", network.Heal, true},
		{"cut back", func() error { return network.Cut(there, here) }, false},
		{"parted as well", func() error { return network.Part(here, there) }, false},
		{"healed again", network.Heal, true},
		{"slow", func() error { return network.Slow(server.Host) }, true},
		{"lossy", func() error { return network.Lose(0.01, here, there) }, true},
		{"healed at last", network.Heal, true},
	} {
		must(t, step.apply())
		patience := 10 * time.Second
		if !step.whole {
			patience = 200 * time.Millisecond
		}
		err := pingFrom(ctx, client, server, patience)
		var silence interface{ Timeout() bool }
		if step.whole && err != nil || !step.whole && !(errors.As(err, &silence) && silence.Timeout()) {
			t.Errorf("%s: %v", step.name, err)
		}
		if _, err := server.Do(ctx, "PING"); err != nil {
			t.Errorf("%s: a cut between two hosts must not hit this process: %v", step.name, err)
		}
	}
}

func pingFrom(ctx context.Context, client *topology.Host, server *topology.Node, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	raw, err := client.Dial(ctx, "tcp", server.Addr())
	if err != nil {
		return err
	}
	c := wire.New(raw)
	defer c.Close()
	_, err = c.Do(ctx, "PING")
	return err
}
