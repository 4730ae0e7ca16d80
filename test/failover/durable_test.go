package failover

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// exchange sends commands in one write and returns their replies, errors as texts.
func exchange(ctx context.Context, t *testing.T, c *wire.Conn, commands ...string) []any {
	t.Helper()
	for _, line := range commands {
		c.Append(strings.Fields(line)...)
	}
	must(t, c.Flush())
	if deadline, ok := ctx.Deadline(); ok {
		must(t, c.SetDeadline(deadline))
	}
	var out []any
	for range commands {
		reply, err := c.Receive()
		must(t, err)
		if refusal, ok := reply.(wire.Error); ok {
			reply = "-" + refusal.Prefix()
		}
		out = append(out, reply)
	}
	return out
}

// durableCases are kinds of sessions: the last reply of each is what replicas are waited for.
var durableCases = []struct {
	name     string
	before   []string // one by one
	commands []string // in one write
	any      bool     // with durable.reads: any, it does not wait
	behind   bool     // with durable.reads: any, it waits only for what is in front of it, and is shown
	never    bool     // it never waits
}{
	{name: "a write", commands: []string{"SET k 1"}},
	{name: "a pipeline that ends with a read", commands: []string{"SET k 1", "PING", "GET k"}, behind: true},
	{name: "a read", commands: []string{"GET k"}, any: true},
	{name: "a whole transaction", commands: []string{"MULTI", "INCR k", "EXEC"}},
	{name: "an open transaction", before: []string{"MULTI", "INCR k"}, commands: []string{"EXEC"}},
	{name: "a watched transaction", before: []string{"WATCH k", "MULTI", "INCR k"}, commands: []string{"EXEC"}},
	{name: "a pop", commands: []string{"BLPOP filled 1"}},
	{name: "a script", commands: []string{"EVAL return(redis.call('INCR','k')) 0"}},
	{name: "an unknown command of a known kind", commands: []string{"PING"}, never: true},
	{name: "about the server", commands: []string{"CONFIG GET maxmemory"}, never: true},
	{name: "a dropped transaction", before: []string{"MULTI", "INCR k"}, commands: []string{"DISCARD"}, never: true},
}

// TestDurableKindsOfSessions: whatever way a write or a read came, its reply waits for a replica; and
// without one it is UNCONFIRMED, and the connection goes on.
func TestDurableKindsOfSessions(t *testing.T) {
	d := startDeployment(t, topology.Options{})
	ctx := within(t, 3*time.Minute)
	master, err := d.Master(ctx)
	must(t, err)
	direct := dial(ctx, t, master.Addr())
	strict := startSteadis(t, d.SentinelAddrs(), "--durable-replicas", "1", "--durable-timeout", "300ms")
	anyReads := startSteadis(t, d.SentinelAddrs(), "--durable-replicas", "1", "--durable-timeout", "300ms", "--durable-reads", "any")
	for _, confirms := range []bool{true, false, true} {
		for _, n := range d.Nodes {
			switch {
			case n == master:
			case confirms:
				must(t, n.Thaw())
			default:
				must(t, n.Freeze())
			}
		}
		poll(ctx, t, "replicas as they should be", func() error {
			replies := exchange(ctx, t, direct, "DEL k", "RPUSH filled a b", "WAIT 1 100")
			if has := replies[2] != int64(0); has != confirms {
				return errors.New("WAIT says otherwise")
			}
			return nil
		})
		for _, s := range []*topology.Steadis{strict, anyReads} {
			for _, tt := range durableCases {
				c := dial(ctx, t, s.Addr)
				for _, line := range tt.before {
					exchange(ctx, t, c, line)
				}
				began := time.Now()
				replies := exchange(ctx, t, c, tt.commands...)
				waits := !confirms && !tt.never && !(tt.any && s == anyReads)
				last := replies[len(replies)-1]
				refuses := waits && !(tt.behind && s == anyReads)
				if refused := last == "-UNCONFIRMED"; refused != refuses {
					t.Errorf("%s, replicas confirm: %v: %v, want UNCONFIRMED: %v", tt.name, confirms, replies, refuses)
				}
				if took := time.Since(began); waits && took < 300*time.Millisecond || !waits && !confirms && took > 250*time.Millisecond {
					t.Errorf("%s, replicas confirm: %v: took %v", tt.name, confirms, took)
				}
				if pong := exchange(ctx, t, c, "PING"); pong[0] != "PONG" {
					t.Errorf("%s: then %v", tt.name, pong)
				}
				must(t, c.Close())
			}
		}
	}
	if metric(ctx, t, strict, "steadis_unconfirmed_total") == 0 {
		t.Error("nothing was counted as unconfirmed")
	}
	for _, line := range []string{"too few replicas confirm", "replicas confirm writes again"} {
		if n := strings.Count(strict.LogTail(), line); n != 1 {
			t.Errorf("%q stands %d times in the log", line, n)
		}
	}
}
