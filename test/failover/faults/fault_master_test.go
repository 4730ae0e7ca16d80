package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// masterFaults happen to the process of the master.
var masterFaults = []fault{
	{
		name: "kill -9", often: 100, short: true, compared: true, losses: unreplicated,
		inject: func(_ context.Context, st *stage) error { return st.old.Kill() },
		heal:   restartOld,
	},
	{
		name: "SIGTERM", short: true, losses: nothing, // Redis waits for its replicas
		inject: func(_ context.Context, st *stage) error { return st.old.Term() },
		heal:   restartOld,
	},
	{
		name: "SIGSTOP, SIGCONT after the switch", often: 50, short: true, compared: true, losses: unreplicated,
		inject: func(_ context.Context, st *stage) error { return st.old.Freeze() },
		heal:   thawUnseen,
	},
	{
		name: "DEBUG SLEEP 0.7 (slow disk)", losses: nothing, service: restored, clean: true,
		inject: func(ctx context.Context, st *stage) error { return debugSleep(ctx, st.old, "0.7") },
	},
	{
		name: "DEBUG SLEEP 4 (slow disk)", losses: unreplicated,
		inject: func(ctx context.Context, st *stage) error { return sendOnly(ctx, st.old, "DEBUG", "SLEEP", "4") },
		heal: func(ctx context.Context, st *stage) error {
			_, err := st.old.Do(ctx, "PING") // it sleeps on until then
			return err
		},
	},
	{
		name: "master restarts empty, faster than down-after", short: true, losses: counted, service: restored, replaced: true,
		inject: func(ctx context.Context, st *stage) error {
			return errors.Join(setSyncDelay(ctx, st, "5"), st.old.Kill(), restartStopped(ctx, st.old))
		},
		heal: func(ctx context.Context, st *stage) error { return setSyncDelay(ctx, st, "0") },
	},
	{
		name: "flapping master", losses: unreplicated, service: restored,
		inject: flap,
	},
	{
		name: "flapping master, then kill -9", losses: unreplicated,
		inject: func(ctx context.Context, st *stage) error {
			if err := flap(ctx, st); err != nil {
				return err
			}
			return st.old.Kill()
		},
		heal: restartOld,
	},
}

// setSyncDelay sets repl-diskless-sync-delay, in seconds, for the time after a restart too. Redis' default is 5.
func setSyncDelay(ctx context.Context, st *stage, seconds string) error {
	return errors.Join(everyNode(ctx, st.d.Nodes, "CONFIG", "SET", "repl-diskless-sync-delay", seconds),
		everyNode(ctx, st.d.Nodes, "CONFIG", "REWRITE"))
}

// restartStopped restarts a node empty, and does not wait for its answer if it gives none: steadis may
// have stopped it as soon as it was there.
func restartStopped(ctx context.Context, n *topology.Node) error {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	if err := n.RestartEmpty(ctx); !n.Alive() {
		return err
	}
	return nil
}

// restartOld starts the old master again; it comes back as an empty master.
func restartOld(ctx context.Context, st *stage) error {
	if st.old.Alive() {
		return nil
	}
	return st.old.RestartEmpty(ctx)
}

// thawUnseen thaws the deposed master, which still takes itself for one, and lets
// the load run on for a while: not one write may come to it. Writes that lay in its
// sockets when it froze run as it wakes up; they are before the first command
// of a connection made after that, CONFIG RESETSTAT.
func thawUnseen(ctx context.Context, st *stage) error {
	if err := st.old.Thaw(); err != nil {
		return err
	}
	c, err := st.old.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Do(ctx, "CONFIG", "RESETSTAT"); err != nil {
		return err
	}
	if !st.mode.judged {
		return nil
	}
	if err := st.progress(ctx, 4000); err != nil {
		return err
	}
	stats, err := c.Do(ctx, "INFO", "commandstats")
	if err != nil {
		return err
	}
	role, err := c.Do(ctx, "ROLE")
	if err != nil {
		return err
	}
	if text := fmt.Sprint(stats); wire.Strings(role)[0] == "master" && strings.Contains(text, "cmdstat_rpush:") {
		return fmt.Errorf("the thawed old master got writes:\n%s", text)
	}
	return nil
}

func debugSleep(ctx context.Context, n *topology.Node, seconds string) error {
	_, err := n.Do(ctx, "DEBUG", "SLEEP", seconds)
	return err
}

// sendOnly sends a command and does not wait for its reply.
func sendOnly(ctx context.Context, n *topology.Node, args ...string) error {
	c, err := n.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	c.Append(args...)
	return c.Flush()
}

// flap freezes and thaws the master some times, each time for less than it takes
// Sentinel to find it down.
func flap(ctx context.Context, st *stage) error {
	for range 3 + st.random.IntN(3) {
		if err := st.old.Freeze(); err != nil {
			return err
		}
		if err := pause(ctx, st.between(100*time.Millisecond, 700*time.Millisecond)); err != nil {
			return err
		}
		if err := st.old.Thaw(); err != nil {
			return err
		}
		if err := pause(ctx, st.between(50*time.Millisecond, 600*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}
