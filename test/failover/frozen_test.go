package failover

import (
	"context"
	"fmt"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// P7: a master that is frozen and thaws as if nothing had been reads commands that lay in its sockets. A pop
// among them must find its client there, or the element is gone.
func TestPopUnreadByAFrozenMaster(t *testing.T) {
	d := startDeployment(t, topology.Options{Replicas: -1})
	s := startSteadis(t, d.SentinelAddrs(), "--in-doubt", "error")
	ctx := within(t, time.Minute)
	master := d.Nodes[0]
	const clients = 4
	var conns []*wire.Conn
	for i := range clients {
		c := dial(ctx, t, s.Addr)
		// Its private connection is made now, not when nobody answers any more.
		if _, err := c.Do(ctx, "BLPOP", fmt.Sprintf("queue:%d", i), "0.01"); err != nil {
			t.Fatal(err)
		}
		if _, err := master.Do(ctx, "RPUSH", fmt.Sprintf("queue:%d", i), "element"); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	must(t, master.Freeze())
	replies := make(chan any, clients)
	for i, c := range conns {
		go func() {
			reply, err := c.Do(ctx, "BLPOP", fmt.Sprintf("queue:%d", i), "0.5")
			if err != nil {
				reply = err
			}
			replies <- reply
		}()
	}
	thawAfter(ctx, t, master, 3*time.Second) // longer than the commands' own time
	popped := 0
	for range clients {
		switch reply := (<-replies).(type) {
		case nil: // nothing came in time
		case error:
			t.Errorf("BLPOP: %v", reply)
		default:
			popped++
		}
	}
	left := 0
	for i := range clients {
		length, err := master.Do(ctx, "LLEN", fmt.Sprintf("queue:%d", i))
		must(t, err)
		left += int(length.(int64))
	}
	if popped+left != clients {
		t.Errorf("of %d elements %d were popped for their clients and %d are left", clients, popped, left)
	}
}

// thawAfter lets the master go on after a time that it is to be frozen for.
func thawAfter(ctx context.Context, t *testing.T, n *topology.Node, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
	must(t, n.Thaw())
}
