package sentinel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Replace has Sentinel make another node the master than that of a generation, which is not
// worth waiting for: reason says why, in a few words. Commands are held, and SENTINEL FAILOVER is asked for at
// once. It returns nil once another master is followed, whoever has made it. On any
// failure everything goes on as before, and the error is ErrNotBegun or ErrGivenUp. ctx bounds
// it all, and should be shorter than the time for which commands are held.
//
// It may be called while Run runs, by one caller at a time, Switchover's included; another one gets ErrNotBegun.
func (w *Watcher) Replace(ctx context.Context, generation uint64, reason string) error {
	if !w.switching.TryLock() {
		return fmt.Errorf("%w: a switchover is under way", ErrNotBegun)
	}
	defer w.switching.Unlock()
	view := w.board.Load()
	if view.Generation != generation {
		return nil
	}
	c := &change{w: w, from: view}
	defer c.close()
	held, err := c.plan(ctx, causeEmptied, reason)
	defer c.unplan(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotBegun, err)
	}
	if held.Planned { // else a failover has begun by itself
		if err := c.appoint(ctx); err != nil {
			return fmt.Errorf("%w: %w", ErrNotBegun, err)
		}
	}
	if _, err := c.follow(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrGivenUp, err)
	}
	return nil
}

// appointFirst is how long a Sentinel has to take part while others have not been tried: one
// that has just frozen must not cost the time in which the replicas still have their data.
const appointFirst = 100 * time.Millisecond

// appoint asks one Sentinel after the other for SENTINEL FAILOVER, until one does it or does
// so already. Those that answered last come first.
func (c *change) appoint(ctx context.Context) error {
	var faults []error
	for _, patience := range []time.Duration{appointFirst, 2 * c.w.opts().Timeout} {
		faults = nil
		for _, addr := range c.w.answering() {
			err := c.appointAt(ctx, addr, patience)
			if err == nil {
				return nil
			}
			faults = append(faults, fmt.Errorf("asked Sentinel %s: %w", addr, err))
		}
	}
	return errors.Join(faults...)
}

// appointAt asks one Sentinel, if it has said within patience that it knows the master. Having
// been asked it gets Options.Timeout, for two Sentinels that lead are slower than one.
func (c *change) appointAt(ctx context.Context, addr string, patience time.Duration) error {
	known, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.lead(known, addr); err != nil {
		return err
	}
	err := c.sentinel.Failover(ctx, c.w.opts().Master).Err()
	if replyIs(err, "INPROG") {
		return nil
	}
	return err
}

// answering gives the configured Sentinels, in their order, but those first whose last
// answer came.
func (w *Watcher) answering() []string {
	up := map[string]bool{}
	for _, row := range w.snapshot.Load().status.Sentinels {
		up[row.Address] = row.Connected
	}
	addrs := slices.Clone(w.opts().Addresses)
	slices.SortStableFunc(addrs, func(a, b string) int {
		switch {
		case up[a] == up[b]:
			return 0
		case up[a]:
			return -1
		}
		return 1
	})
	return addrs
}
