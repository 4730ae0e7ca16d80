package sentinel

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"steadis/sentinel/topology"
)

// Switchover is what became of a switchover that an operator has asked for.
type Switchover struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Epoch uint64 `json:"epoch"`
	// HeldMS is how long commands waited, in ms; of that DrainMS until the master had
	// answered what it had been sent, and CatchUpMS until the replicas had all of it.
	HeldMS    int64 `json:"held_ms"`
	DrainMS   int64 `json:"drain_ms"`
	CatchUpMS int64 `json:"catch_up_ms"`
	// Offset is the master's replication offset that every replica has reached.
	Offset   int64    `json:"offset"`
	Replicas []string `json:"replicas"`
}

var (
	// ErrNotBegun: nothing has happened, for the reason that comes with it.
	ErrNotBegun = errors.New("the switchover was not begun")
	// ErrGivenUp: commands were held, and go on, for the reason that comes with it.
	ErrGivenUp = errors.New("the switchover was given up")
)

// catchUpLook is the time between two looks at a replica that is behind.
const catchUpLook = 5 * time.Millisecond

// Switchover has Sentinel make another node the master without a write being lost: it
// has commands held, waits until drained says that the master owes no reply, and until
// every replica that Sentinel may choose has all that the master has, and asks for
// SENTINEL FAILOVER. It returns once the new master is followed. On any failure
// everything goes on as before, and the error is ErrNotBegun or ErrGivenUp. ctx bounds
// it all, and should be shorter than the time for which commands are held.
//
// It may be called while Run runs, by one caller at a time; another one gets ErrNotBegun.
func (w *Watcher) Switchover(ctx context.Context, drained func(context.Context) error) (Switchover, error) {
	if !w.switching.TryLock() {
		return Switchover{}, fmt.Errorf("%w: another one is under way", ErrNotBegun)
	}
	defer w.switching.Unlock()
	view := w.board.Load()
	if view.Phase != topology.Serving {
		return Switchover{}, fmt.Errorf("%w: the deployment is not served now: %s", ErrNotBegun, view.Reason)
	}
	c := &change{w: w, from: view}
	defer c.close()
	if err := c.prepare(ctx); err != nil {
		return Switchover{}, fmt.Errorf("%w: %w", ErrNotBegun, err)
	}
	done, err := c.carryOut(ctx, drained)
	if err != nil {
		w.opts().Log.Warn("switchover given up", zap.String("master", view.Master), zap.Error(err))
		return Switchover{}, fmt.Errorf("%w, and commands go on: %w", ErrGivenUp, err)
	}
	w.opts().Log.Info("switchover done", zap.String("from", done.From), zap.String("to", done.To), zap.Uint64("epoch", done.Epoch),
		zap.Int64("held_ms", done.HeldMS), zap.Int64("catch_up_ms", done.CatchUpMS))
	return done, nil
}

// change is one switchover under way.
type change struct {
	w        *Watcher
	from     *topology.View
	sentinel *redis.SentinelClient // the one that will lead
	leader   string
	master   *redis.Client
	replicas []string // those that may be chosen
}

func (c *change) close() {
	if c.sentinel != nil {
		c.sentinel.Close()
	}
	if c.master != nil {
		c.master.Close()
	}
}

// prepare finds a Sentinel that can lead, and the replicas that it may choose. Nothing
// has happened if it fails.
func (c *change) prepare(ctx context.Context) error {
	o := c.w.opts()
	c.master = redis.NewClient(nodeOptions(ctx, o, c.from.Master))
	if _, err := replication(ctx, c.master); err != nil {
		return fmt.Errorf("the master %s does not tell INFO replication: %w", c.from.Master, err)
	}
	var faults []error
	for _, addr := range o.Addresses {
		err := c.lead(ctx, addr)
		if err == nil {
			err = c.choose(ctx)
		}
		if err == nil {
			return nil
		}
		faults = append(faults, fmt.Errorf("asked Sentinel %s: %w", addr, err))
	}
	return errors.Join(faults...)
}

// lead makes the Sentinel at addr the one to ask.
func (c *change) lead(ctx context.Context, addr string) error {
	o := c.w.opts()
	if c.sentinel != nil {
		c.sentinel.Close()
	}
	c.leader, c.sentinel = addr, redis.NewSentinelClient(sentinelOptions(ctx, o, addr))
	said, err := c.sentinel.GetMasterAddrByName(ctx, o.Master).Result()
	if err != nil {
		return err
	}
	if len(said) != 2 {
		return errNonsense
	}
	if at, _ := o.dialable(said[0], said[1]); at != c.from.Master {
		return fmt.Errorf("it announces another master, %s", at)
	}
	return nil
}

// choose notes the replicas that Sentinel may choose (Redis 7.0 sentinel.c
// sentinelSelectSlave): those that it reaches, that are linked to the master and have a
// priority. Each must tell how far it is, since any of them may be chosen; one that is too
// busy to answer now may do so later.
func (c *change) choose(ctx context.Context) error {
	c.replicas = nil
	o := c.w.opts()
	rows, err := c.sentinel.Replicas(ctx, o.Master).Result()
	if err != nil {
		return err
	}
	var passed []string
	for _, row := range rows {
		addr, ok := o.dialable(row["ip"], row["port"])
		if !ok {
			continue
		}
		if row["role-reported"] == "master" {
			// Sentinel would choose it (7.0 sentinelSelectSlave does not look), and all that
			// was written since it was the master would be gone.
			return fmt.Errorf("%s, a former master, is not a replica yet; try again in some seconds", addr)
		}
		flags := "," + row["flags"] + ","
		down := strings.Contains(flags, ",s_down,") || strings.Contains(flags, ",o_down,") || strings.Contains(flags, ",disconnected,")
		if down || row["slave-priority"] == "0" || row["master-link-status"] != "ok" {
			passed = append(passed, fmt.Sprintf("%s (%s, priority %s, link %s)", addr, row["flags"], row["slave-priority"], row["master-link-status"]))
			continue
		}
		c.replicas = append(c.replicas, addr)
		if _, err := c.askReplica(ctx, addr); refuses(err) {
			return fmt.Errorf("the replica %s may be chosen, but does not tell INFO replication: %w", addr, err)
		}
	}
	if len(c.replicas) == 0 {
		return fmt.Errorf("it knows no replica that could be made the master: %s", strings.Join(passed, ", "))
	}
	return nil
}

// carryOut has commands held and does the rest. On failure it has them go on.
func (c *change) carryOut(ctx context.Context, drained func(context.Context) error) (Switchover, error) {
	s := Switchover{From: c.from.Master}
	began := time.Now()
	held, err := c.plan(ctx, causeSwitchover, "a switchover was asked for")
	defer c.unplan(ctx)
	if err != nil {
		return s, err
	}
	if !held.Planned {
		return s, fmt.Errorf("a failover has begun by itself: %s", held.Reason)
	}
	if err := drained(ctx); err != nil {
		return s, err
	}
	s.DrainMS = time.Since(began).Milliseconds()
	caught := time.Now()
	if s.Offset, err = c.catchUp(ctx); err != nil {
		return s, err
	}
	s.CatchUpMS = time.Since(caught).Milliseconds()
	s.Replicas = c.replicas
	if v := c.w.board.Load(); !v.Planned {
		return s, fmt.Errorf("a failover has begun by itself: %s", v.Reason)
	}
	if err := c.sentinel.Failover(ctx, c.w.opts().Master).Err(); err != nil {
		return s, fmt.Errorf("the Sentinel %s refuses SENTINEL FAILOVER: %w", c.leader, err)
	}
	v, err := c.follow(ctx)
	if err != nil {
		return s, err
	}
	s.To, s.Epoch, s.HeldMS = v.Master, v.Epoch, time.Since(began).Milliseconds()
	return s, nil
}

// plan has commands held, until ctx ends at most, and returns the view that does so. unplan ends it.
func (c *change) plan(ctx context.Context, cause, reason string) (*topology.View, error) {
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(lostClaimFor)
	}
	seen := make(chan struct{})
	c.w.report(ctx, planned{c.from.Generation, plan{until, cause, reason}, seen})
	select {
	case <-seen: // else a hold of before could be taken for what came of it
	case <-ctx.Done():
	}
	held, err := c.await(ctx, func(v *topology.View) (bool, error) {
		if v.Generation != c.from.Generation {
			return false, fmt.Errorf("%s is the master by now", v.Master)
		}
		return v.Phase == topology.Holding, nil
	})
	if err != nil {
		return nil, fmt.Errorf("commands could not be held: %w", err)
	}
	return held, nil
}

// follow returns the view that serves the next master.
func (c *change) follow(ctx context.Context) (*topology.View, error) {
	v, err := c.await(ctx, func(v *topology.View) (bool, error) {
		if v.Phase == topology.Serving && v.Generation == c.from.Generation {
			return false, errors.New("the failover was given up by Sentinel")
		}
		return v.Phase == topology.Serving && v.Generation > c.from.Generation, nil
	})
	if err != nil {
		return nil, fmt.Errorf("after SENTINEL FAILOVER at %s: %w", c.leader, err)
	}
	return v, nil
}

// unplan ends the plan. If the loop has ended, so has the plan.
func (c *change) unplan(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.w.opts().Timeout)
	defer cancel()
	c.w.report(ctx, unplanned{})
}

// await returns the first view that is right, or the error of which it is not.
func (c *change) await(ctx context.Context, right func(*topology.View) (bool, error)) (*topology.View, error) {
	for {
		v := c.w.board.Load()
		if ok, err := right(v); ok || err != nil {
			return v, err
		}
		if _, err := c.w.board.Await(ctx, v); err != nil {
			return v, fmt.Errorf("%s (%s): %w", v.Phase, v.Reason, err)
		}
	}
}

// catchUp waits until every replica has what the master has now, and returns how much that
// is.
func (c *change) catchUp(ctx context.Context) (int64, error) {
	m, err := replication(ctx, c.master)
	if err != nil {
		return 0, fmt.Errorf("the master does not tell INFO replication: %w", err)
	}
	if m["role"] != "master" {
		return 0, fmt.Errorf("%s says that it is no master", c.from.Master)
	}
	goal, err := strconv.ParseInt(m["master_repl_offset"], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the master's replication offset: %w", err)
	}
	for _, addr := range c.replicas {
		for {
			info, err := c.askReplica(ctx, addr)
			at, _ := strconv.ParseInt(info["slave_repl_offset"], 10, 64)
			if err == nil && at >= goal && info["master_replid"] == m["master_replid"] {
				break
			}
			sleep(ctx, catchUpLook)
			switch {
			case refuses(err):
				return 0, fmt.Errorf("the replica %s does not tell INFO replication: %w", addr, err)
			case ctx.Err() != nil && err != nil:
				return 0, fmt.Errorf("the replica %s does not answer: %w", addr, err)
			case ctx.Err() != nil:
				return 0, fmt.Errorf("the replica %s is %d bytes behind: %w", addr, goal-at, ctx.Err())
			}
		}
	}
	return goal, nil
}

// askReplica reads a replica's INFO replication, on a connection of its own.
func (c *change) askReplica(ctx context.Context, addr string) (map[string]string, error) {
	o := c.w.opts()
	r := redis.NewClient(nodeOptions(ctx, o, addr))
	defer r.Close()
	return replication(ctx, r)
}

// refuses says whether a node has answered, with an error that will not pass.
func refuses(err error) bool {
	return replyIs(err, "NOAUTH", "NOPERM", "WRONGPASS", "ERR")
}

// replication reads INFO replication.
func replication(ctx context.Context, c *redis.Client) (map[string]string, error) {
	text, err := c.Info(ctx, "replication").Result()
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for line := range strings.SplitSeq(text, "\r\n") {
		if key, value, ok := strings.Cut(line, ":"); ok {
			fields[key] = value
		}
	}
	return fields, nil
}
