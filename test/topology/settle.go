package topology

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"steadis/test/workload/wire"
)

// await asks condition again and again until it is content, and returns nil; or
// until ctx ends, and returns condition's last complaint.
func await(ctx context.Context, what string, condition func(context.Context) error) error {
	ticker := time.NewTicker(2 * pollEvery)
	defer ticker.Stop()
	complaint := errors.New("never asked")
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			complaint = err // an error after the end would only say that it ended
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last: %w", what, context.Cause(ctx), complaint)
		case <-ticker.C:
		}
	}
}

// Mend brings back whatever was broken: heals relays, thaws frozen processes and
// restarts dead ones. It does not heal a Network. It does not tell anyone who is master.
func (d *Deployment) Mend(ctx context.Context) error {
	var all error
	for _, n := range d.everyone() {
		if n.Relay != nil {
			n.Relay.Heal()
			n.Relay.Delay(0)
		}
		switch {
		case !n.Alive():
			all = errors.Join(all, n.Restart(ctx))
		case n.isFrozen():
			all = errors.Join(all, n.Thaw())
		}
	}
	return all
}

// Demote makes every Redis node but the announced master a replica of it, as
// Sentinel does by itself about 10 s after a switch, for rounds that need not see
// these 10 s. Nodes that are replicas of it already are left alone.
func (d *Deployment) Demote(ctx context.Context) error {
	return await(ctx, "old masters to be demoted", func(ctx context.Context) error {
		master, err := d.Master(ctx)
		if err != nil {
			return err
		}
		host, port := splitAddr(master.Addr())
		for _, n := range d.Nodes {
			if n == master || followsWell(ctx, n, master) == nil {
				continue
			}
			if _, err := n.Do(ctx, "REPLICAOF", host, port); err != nil {
				return fmt.Errorf("%s: %w", n.Label, err)
			}
		}
		return d.inSync(ctx, master)
	})
}

// AwaitSettled waits until all processes answer, one node is master and announced
// by every Sentinel in one epoch, every other node is its replica and in sync,
// and every Sentinel knows all of them and finds nothing wrong: the next
// failover then starts as the first one did. Processes that were killed or
// frozen must have been brought back (Mend).
func (d *Deployment) AwaitSettled(ctx context.Context) error {
	return await(ctx, "the deployment to settle", d.settled)
}

func (d *Deployment) settled(ctx context.Context) error {
	if len(d.Sentinels) == 0 {
		return d.inSync(ctx, d.Nodes[0])
	}
	master, err := d.Master(ctx)
	if err != nil {
		return err
	}
	if err := d.inSync(ctx, master); err != nil {
		return err
	}
	epochs := map[string]bool{}
	for _, s := range d.Sentinels {
		epoch, err := d.contented(ctx, s, master)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Label, err)
		}
		epochs[epoch] = true
	}
	if len(epochs) != 1 {
		return fmt.Errorf("the Sentinels are in different epochs: %v", epochs)
	}
	return nil
}

// inSync says whether every node but master replicates from it and is online.
func (d *Deployment) inSync(ctx context.Context, master *Node) error {
	for _, n := range d.Nodes {
		if n == master {
			continue
		}
		if err := followsWell(ctx, n, master); err != nil {
			return err
		}
	}
	info, err := master.Info(ctx, "replication")
	if err != nil {
		return fmt.Errorf("%s: %w", master.Label, err)
	}
	if info["role"] != "master" {
		return fmt.Errorf("%s says role:%s", master.Label, info["role"])
	}
	online := 0
	for name, value := range info {
		if strings.HasPrefix(name, "slave") && strings.Contains(value, "state=online") {
			online++
		}
	}
	if online != len(d.Nodes)-1 {
		return fmt.Errorf("%s sees %d replicas online of %d", master.Label, online, len(d.Nodes)-1)
	}
	return nil
}

// followsWell says whether n is a replica of master with a live link.
func followsWell(ctx context.Context, n, master *Node) error {
	info, err := n.Info(ctx, "replication")
	if err != nil {
		return fmt.Errorf("%s: %w", n.Label, err)
	}
	_, port := splitAddr(master.Addr())
	switch {
	case info["role"] != "slave":
		return fmt.Errorf("%s says role:%s", n.Label, info["role"])
	case info["master_port"] != port:
		return fmt.Errorf("%s replicates from port %s, not %s", n.Label, info["master_port"], port)
	case info["master_link_status"] != "up" || info["master_sync_in_progress"] != "0":
		return fmt.Errorf("%s: link to the master is %s", n.Label, info["master_link_status"])
	}
	return nil
}

// contented says whether Sentinel s sees master and everybody else in good
// health, and gives the config-epoch it is in.
func (d *Deployment) contented(ctx context.Context, s, master *Node) (epoch string, err error) {
	reply, err := s.Do(ctx, "SENTINEL", "MASTER", d.options.Name)
	if err != nil {
		return "", err
	}
	m := wire.Pairs(reply)
	_, port := splitAddr(master.Addr())
	switch {
	case m["port"] != port:
		return "", fmt.Errorf("monitors port %s, not %s", m["port"], port)
	case m["flags"] != "master":
		return "", fmt.Errorf("flags of the master are %s", m["flags"])
	case m["num-slaves"] != strconv.Itoa(len(d.Nodes)-1):
		return "", fmt.Errorf("knows %s replicas", m["num-slaves"])
	case m["num-other-sentinels"] != strconv.Itoa(len(d.Sentinels)-1):
		return "", fmt.Errorf("knows %s other Sentinels", m["num-other-sentinels"])
	}
	if err := everyFlag(ctx, s, "SENTINELS", d.options.Name, "sentinel"); err != nil {
		return "", err
	}
	return m["config-epoch"], everyFlag(ctx, s, "REPLICAS", d.options.Name, "slave")
}

// everyFlag says whether all instances of one kind have just the flag they should.
func everyFlag(ctx context.Context, s *Node, kind, name, flag string) error {
	reply, err := s.Do(ctx, "SENTINEL", kind, name)
	if err != nil {
		return err
	}
	list, isArray := reply.([]any)
	if !isArray {
		return fmt.Errorf("SENTINEL %s answered %v", kind, reply)
	}
	for _, item := range list {
		one := wire.Pairs(item)
		if one["flags"] != flag {
			return fmt.Errorf("flags of %s are %s", one["name"], one["flags"])
		}
		if status, has := one["master-link-status"]; has && status != "ok" {
			return fmt.Errorf("master-link-status of %s is %s", one["name"], status)
		}
	}
	return nil
}
