//go:build linux

package restart

import (
	"net"
	"strconv"
	"testing"
	"time"

	"steadis/test/topology"
)

// TestTwoMastersAreRestartedByAServiceManager: with a socket for each master, by its name,
// each client that the manager has kept goes on with its own master.
func TestTwoMastersAreRestartedByAServiceManager(t *testing.T) {
	ctx := within(t, 2*time.Minute)
	deploy := func(name string, sentinels int) *topology.Deployment {
		d, err := topology.Start(ctx, topology.Options{Name: name, Replicas: -1, Sentinels: sentinels, Dir: t.TempDir()})
		must(t, err)
		t.Cleanup(func() { must(t, d.Close()) })
		return d
	}
	cache, sessions := deploy("cache", 3), deploy("sessions", -1)
	host, port, err := net.SplitHostPort(sessions.Nodes[0].Addr())
	must(t, err)
	for _, s := range cache.Sentinels {
		_, err := s.Do(ctx, "SENTINEL", "MONITOR", "sessions", host, port, "2")
		must(t, err)
	}
	// The addresses are the manager's: those that are configured are not opened.
	m := newManagerOf(t, []string{"cache", "sessions", "admin"}, "--sentinel", cache.SentinelAddrs(), "--masters", "cache=127.0.0.1:1,sessions=127.0.0.1:2")
	m.start(ctx)
	idle := []*idler{newIdler(ctx, t, m.addrs[0]), newIdler(ctx, t, m.addrs[1])}
	idle[0].check(ctx, t)
	for range restarts(t) {
		m.stop(ctx)
		m.start(ctx)
		idle[0].check(ctx, t)
		idle[1].check(ctx, t)
	}
	for i, d := range []*topology.Deployment{cache, sessions} { // each has counted in its own master
		c, err := d.Nodes[0].Dial(ctx)
		must(t, err)
		defer c.Close()
		_, err = c.Do(ctx, "SELECT", "3")
		must(t, err)
		if got, err := c.Do(ctx, "GET", "idler"); err != nil || got != strconv.Itoa(idle[i].n) {
			t.Errorf("%s: counted %v, %v; want %d", d.Name(), got, err, idle[i].n)
		}
	}
	if m.count("STOPPING=1") != restarts(t) || m.count("WATCHDOG=1") == 0 {
		t.Errorf("%d stops, %d signs of life", m.count("STOPPING=1"), m.count("WATCHDOG=1"))
	}
}
