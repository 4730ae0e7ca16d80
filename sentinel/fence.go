package sentinel

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

// A fence keeps writers that bypass steadis from a master that is being replaced:
// CLIENT PAUSE WRITE, in pulses.
//
// Each pulse is shorter than down-after: a pause stops PUBLISH as well, so also Sentinel's
// own hello message, and behind it its PINGs on the same connection; a pause of 6 s was seen to
// cause a failover by itself (semantics.md 1.3). Between two pulses what has been stopped
// runs. The first comes a moment after the hold began, so that what steadis has in flight
// is answered first, and well before a replica is promoted (104 ms at the earliest). After a switch the
// fence stands until the old master is demoted, which takes Sentinel about 10 s.

const (
	fenceAfter = 40 * time.Millisecond
	fenceGap   = 5 * time.Millisecond
	fenceMost  = time.Second // one pulse, however long down-after is
	fenceEnds  = 20 * time.Second
)

// updateFence puts the fence up where a failover of the followed master has begun, and
// takes it down if that comes to nothing. After a switch it ends by itself.
func (s *state) updateFence() {
	if !s.fences {
		return
	}
	switch begun := s.begun(); {
	case begun && s.fenced != s.followed.addr:
		if pulse := s.pulse(); pulse > 0 {
			s.fenced = s.followed.addr
			s.emit(raiseFence{addr: s.fenced, pulse: pulse})
		}
	case s.hold == nil && s.fenced == s.followed.addr && s.fenced != "":
		s.fenced = ""
		s.emit(dropFence{})
	}
}

// begun says whether the followed master is being replaced, or is to be. One that is only
// down cannot be paused.
func (s *state) begun() bool {
	if s.hold == nil {
		return false
	}
	if s.hold.cause == causeEmptied {
		return false // nobody can write to it
	}
	if s.plan != nil || s.hold.cause == causeTryFailover || s.hold.cause == causeFailover || s.hold.cause == causeAnnounced {
		return true
	}
	for _, m := range s.claimants() {
		if m.claim.cause != causeODown {
			return true
		}
	}
	return false
}

// pulse is how long one pause may be: half of the shortest down-after that a Sentinel
// has told; 0 if none has.
func (s *state) pulse() time.Duration {
	pulse := time.Duration(0)
	for _, m := range s.members {
		if d := m.answer.downAfter / 2; d > 0 && (pulse == 0 || d < pulse) {
			pulse = d
		}
	}
	return min(pulse, fenceMost)
}

// fence is the goroutine that holds one fence up. It ends with ctx, when the node says
// that it is a replica, cannot be reached, or will not be paused, or after fenceEnds.
func (w *Watcher) fence(ctx context.Context, f raiseFence) {
	ends, cancel := context.WithTimeout(ctx, fenceEnds)
	defer cancel()
	sleep(ends, fenceAfter)
	c := redis.NewClient(nodeOptions(ends, w.opts(), f.addr))
	defer c.Close()
	if ends.Err() != nil || !w.pause(ends, c, f, true) {
		return
	}
	for ends.Err() == nil {
		sleep(ends, f.pulse+fenceGap)
		reply, err := c.Do(ends, "ROLE").Slice()
		if err != nil || len(reply) == 0 || reply[0] != "master" || !w.pause(ends, c, f, false) {
			break
		}
	}
	last, cancelLast := context.WithTimeout(context.WithoutCancel(ctx), 2*w.opts().Timeout)
	defer cancelLast()
	err := c.Do(last, "CLIENT", "UNPAUSE").Err()
	w.opts().Log.Info("fence down", zap.String("master", f.addr), zap.NamedError("unpause", err))
}

// pause begins one pulse.
func (w *Watcher) pause(ctx context.Context, c *redis.Client, f raiseFence, first bool) bool {
	err := c.Do(ctx, "CLIENT", "PAUSE", f.pulse.Milliseconds(), "WRITE").Err()
	switch {
	case err != nil && ctx.Err() == nil && first:
		w.opts().Log.Warn("fence: the old master does not take CLIENT PAUSE; writers that bypass steadis are not stopped (user needs +client|pause +client|unpause +role)",
			zap.String("master", f.addr), zap.Error(err))
	case err == nil && first:
		w.opts().Log.Info("fence up: writes to the old master are paused", zap.String("master", f.addr), zap.Duration("pulse", f.pulse))
	}
	return err == nil
}
