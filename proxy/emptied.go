package proxy

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"go.uber.org/zap"

	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// A master without persistence that is restarted before Sentinel finds it down comes back
// empty, and its replicas empty themselves after it as soon as they are connected again, within
// a second. In durable mode that takes acknowledged writes with it, so the proxy does
// not let it come to that: it is the first to see such a master, since it dials all the time, and has
// everybody else wait for it, replicas too, by CLIENT PAUSE. (A replica that connects says
// PING first, and is no replica yet: Redis 7.0 server.c processCommand, replication.c
// syncWithMaster. One that was there first has its data until its copy begins, after
// repl-diskless-sync-delay.) Then Sentinel is asked to make a replica the master, which has all of it.

// emptiedPause is how long an emptied master is stopped: longer than a failover takes. No
// command lifts such a pause, as it stops CLIENT UNPAUSE too. Sentinel, whose PING it stops
// as well, finds the master down meanwhile if that is not too long for it.
const emptiedPause = 10 * time.Second

// stop is how long this proxy stops an emptied master: two such times fit into the hold time.
func (c *conductor) stop() time.Duration { return min(emptiedPause, c.set.Load().Hold/3) }

// guards says whether a master that has lost its data is to be replaced.
func (s *Server) guards() bool { return s.o.Replace != nil && !s.o.Reader }

// accepts looks whether the pilot's master still has what it had. If not, or if it does not
// answer, that is being seen to when it returns false, and the pilot has been given up.
func (c *conductor) accepts(ctx context.Context) bool {
	if !c.guards() {
		return true
	}
	ask, cancel := c.whileItCounts(ctx)
	defer cancel()
	began := c.now()
	now, err := recall(ask, c.pilot)
	switch {
	case errors.Is(err, errUntold):
		if !c.untold {
			c.o.Log.Warn("if the master loses its data that goes unnoticed (durable.emptied_master)", zap.String("master", c.view.Master), zap.Error(err))
		}
		c.knownBy, c.untold = 0, true
		return true
	case err != nil && c.o.Board.Load() != c.view:
		c.land() // the next view says what to do
		return false
	case err != nil:
		c.noteSilence(began, err)
		c.lostPilot(err)
		c.rest(ctx, upstream.Backoff(0))
		return false
	}
	c.untold = false
	if c.knownBy == c.view.Generation && c.resigned.Load() != c.view.Generation {
		if why := now.lost(c.known); why != "" && !c.stoppedInVain(why) {
			c.arrest(ctx, why)
			c.land()
			return false
		}
	}
	c.known, c.knownBy = now, c.view.Generation
	c.resigned.Store(0)
	c.silence = time.Time{}
	return true
}

// noteSilence notes since when the master takes connections and says nothing, by the error of an attempt
// that began then. So it looks while another steadis has it stopped.
func (c *conductor) noteSilence(began time.Time, err error) {
	var fault net.Error
	var op *net.OpError
	switch {
	case !errors.As(err, &fault) || !fault.Timeout() || errors.As(err, &op) && op.Op == "dial":
		c.silence = time.Time{}
	case c.silence.IsZero():
		c.silence = began
	}
}

// stoppedInVain says whether an emptied master has been stopped by others already, so long that another
// try is not worth it: each of a hundred sidecars would stop it once more. One other may fail for a
// reason of its own, as that it reaches no Sentinel.
func (c *conductor) stoppedInVain(why string) bool {
	if c.silence.IsZero() || c.now().Sub(c.silence) < c.stop()*3/2 {
		return false
	}
	c.o.Log.Error("the master has lost its data and is served as it is: it has been stopped by others, and nobody has replaced it",
		zap.String("master", c.view.Master), zap.Uint64("generation", c.view.Generation), zap.String("why", why),
		zap.Duration("silent", c.now().Sub(c.silence)))
	return true
}

// whileItCounts is whileItMatters for what the pilot is asked: another steadis may have stopped the master
// meanwhile, and that is to delay neither the next one nor the refusals.
func (c *conductor) whileItCounts(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, matters := c.whileItMatters(ctx)
	ctx, cancel := context.WithTimeout(ctx, c.set.Load().DialTimeout)
	return ctx, func() { cancel(); matters() }
}

// A master that may come back without its data is dialled in quick succession, over 2 s or so: its
// replicas try once in a second, and are not to be there first.
const (
	eagerTries = 300
	eagerPause = 5 * time.Millisecond
	// eagerDoubts: so many tries are one doubt, which has every Sentinel asked.
	eagerDoubts = 20
)

// eager says whether the master is dialled that often now.
func (c *conductor) eager() bool {
	return c.guards() && c.knownBy == c.view.Generation && c.tried <= eagerTries
}

// doubt tells the control plane that the master could not be reached.
func (c *conductor) doubt(err error) {
	if !c.eager() || c.tried%eagerDoubts == 1 {
		c.o.Board.Doubt(c.view.Generation, err.Error())
	}
}

// backoff is how long to wait before the master is dialled again.
func (c *conductor) backoff() time.Duration {
	if c.eager() {
		return eagerPause + rand.N(eagerPause/2)
	}
	return upstream.Backoff(c.tried - 1)
}

// remember brings up to date what is known of the master's history, by its INFO replication. That it had
// keys stays known: one that was emptied by its clients, and is replaced for no reason, loses nothing.
// It returns false if the master has not answered.
func (c *conductor) remember(ctx context.Context, replication []byte) bool {
	if !c.guards() || c.knownBy != c.view.Generation {
		return true
	}
	frame, err := c.pilot.Fetch(ctx, infoKeyspace)
	if err != nil || len(frame) == 0 {
		return false
	}
	c.known.read(replication)
	c.known.read(frame)
	return true
}

// arrest has everybody wait for the pilot's master, and another one made.
func (c *conductor) arrest(ctx context.Context, why string) {
	stop := c.stop()
	pause, cancel := c.whileItCounts(ctx)
	defer cancel()
	// A replica that was faster and still waits for its copy loses nothing by losing its connection. Both
	// commands run at once, so none can come between.
	answer, err := c.pilot.Fetch(pause, resp.AppendCommand(nil, "CLIENT", "KILL", "TYPE", "replica"),
		resp.AppendCommand(nil, "CLIENT", "PAUSE", strconv.FormatInt(stop.Milliseconds(), 10)))
	c.o.Log.Error("the master has lost its data: it is not served, and Sentinel is asked to make a replica the master",
		zap.String("master", c.view.Master), zap.Uint64("generation", c.view.Generation), zap.String("why", why),
		zap.Duration("pause", stop), zap.ByteString("pause_answer", bytes.TrimSpace(answer)), zap.Error(err))
	c.metrics.emptied.Inc()
	c.shut(c.view.Master + ": " + why)
	c.replacing.Store(c.view.Generation)
	generation := c.view.Generation
	c.spawn(func() { c.replace(ctx, generation, why, stop) })
}

// replaceAgain is the time between two attempts to have a master replaced.
const replaceAgain = time.Second

// replace has the master of a generation replaced. What cannot be done while the master is stopped
// will not be: then it is served as it is.
func (c *conductor) replace(ctx context.Context, generation uint64, why string, within time.Duration) {
	defer c.replacing.CompareAndSwap(generation, 0)
	attempts, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		err := c.o.Replace(attempts, generation, why)
		if err == nil || ctx.Err() != nil {
			return
		}
		c.o.Log.Warn("the master that has lost its data was not replaced", zap.Uint64("generation", generation), zap.Error(err))
		timer := time.NewTimer(replaceAgain)
		select {
		case <-timer.C:
		case <-attempts.Done():
			timer.Stop()
			if ctx.Err() != nil {
				return
			}
			c.resigned.Store(generation)
			c.o.Log.Error("the master that has lost its data is served as it is, since nobody has replaced it", zap.Uint64("generation", generation))
			return
		}
	}
}
