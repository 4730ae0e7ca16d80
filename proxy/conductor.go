package proxy

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"steadis/proxy/command"
	"steadis/proxy/hold"
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
	"steadis/sentinel/topology"
)

// State is what the data path is doing, for /readyz, /api/status and metrics.
type State struct {
	Master     string    `json:"master"`
	Generation uint64    `json:"generation"`
	Epoch      uint64    `json:"epoch"`
	Phase      string    `json:"phase"` // serving, holding, draining, out
	Since      time.Time `json:"since"` // of the phase holding or out
	Reason     string    `json:"reason,omitempty"`
}

// conductor is the one goroutine that moves the gate. It follows the Board's
// views: while a view serves and its master proves to be one (the pilot), the
// gate is open; at any other time it is shut and commands are held.
type conductor struct {
	*Server
	pilot     *upstream.Pilot
	view      *topology.View // the view in force
	tried     int            // failed attempts since the last success
	beats     int            // heartbeats
	mayNotAsk bool           // the pilot's user may not ask for the replicas

	// known is the history that the master of the generation knownBy had when it was last
	// asked; untold: it does not tell. See emptied.go.
	known   history
	knownBy uint64
	untold  bool
	silence time.Time // since when the master takes connections and says nothing; zero if it does not
	// replacing is the generation whose master is being replaced because it has lost its data,
	// resigned the last one whose could not be. 0: none.
	replacing, resigned atomic.Uint64
}

// lookEvery is after how many heartbeats the master is asked anew whether it needs a
// password.
const lookEvery = 5

// conduct runs until ctx ends.
func (s *Server) conduct(ctx context.Context) {
	defer s.wg.Done()
	c := &conductor{Server: s}
	defer c.land()
	for ctx.Err() == nil {
		c.view = s.o.Board.Load()
		s.noteView(c.view)
		switch {
		case c.view.Phase != topology.Serving:
			if c.view.Planned {
				c.pool.CloseTrusted()
			} else {
				c.pool.Close()
			}
			c.begin(c.view.Reason)
			c.rest(ctx, time.Hour)
		case c.replacing.Load() == c.view.Generation:
			c.rest(ctx, upstream.Backoff(0))
		case c.pilot == nil || c.pilot.Generation() != c.view.Generation:
			c.fly(ctx)
		default:
			c.resume()
			c.watch(ctx)
		}
	}
	s.hold.Begin(s.now(), "steadis is shutting down")
}

// shut closes the gate; commands wait from here on.
func (c *conductor) shut(reason string) {
	c.pool.Close()
	c.begin(reason)
}

// begin counts commands as held from here on.
func (c *conductor) begin(reason string) {
	now := c.now()
	if !c.hold.Begin(now, reason) {
		c.outages.because(now, reason)
	} else {
		c.outages.begin(now, reason, c.pool.Gate(), c.doubts.Load())
		c.metrics.outages.Inc()
		c.o.Log.Info("holding commands", zap.String("reason", reason), zap.String("master", c.view.Master),
			zap.Uint64("generation", c.view.Generation), zap.Duration("at_most", c.set.Load().Hold))
	}
}

// land gives the pilot up.
func (c *conductor) land() {
	if c.pilot != nil {
		c.pilot.Close()
		c.pilot = nil
	}
}

// fly connects a pilot to the view's master. A new generation first retires every
// connection to the former master: what is in flight there gets its fate.
func (c *conductor) fly(ctx context.Context) {
	c.land()
	if old := c.pool.Gate(); old.Addr != "" && old.Generation != c.view.Generation {
		c.shut(fmt.Sprintf("moving to the master %s", c.view.Master))
	}
	if c.tried == 0 {
		c.outages.step(c.now(), "asking "+c.view.Master+" for its ROLE")
	}
	c.pool.Retire(c.view.Generation)
	set := c.set.Load()
	id := upstream.Identity{User: set.User, Password: set.Password, Auth: set.Password != ""}
	began := c.now()
	dial, cancel := c.whileItMatters(ctx)
	pilot, err := c.pool.NewPilot(dial, c.view.Master, c.view.Generation, id)
	cancel()
	if err == nil {
		c.pilot, c.tried, c.mayNotAsk = pilot, 0, false
		if !c.accepts(ctx) {
			return
		}
		c.Server.pilot.Store(pilot)
		c.outages.step(c.now(), c.view.Master+" has proved to be a master")
		c.prepare(ctx)
		return // conduct looks at the view again, and resumes if it still stands
	}
	if ctx.Err() != nil || c.o.Board.Load() != c.view {
		return
	}
	c.noteSilence(began, err)
	if c.tried++; c.tried == 1 {
		c.o.Log.Warn("the master does not take commands; trying again until it does or Sentinel names another",
			zap.String("master", c.view.Master), zap.Uint64("generation", c.view.Generation), zap.Error(err))
	}
	c.shut(fmt.Sprintf("%s: %v", c.view.Master, err))
	c.doubt(err)
	c.rest(ctx, c.backoff())
}

// whileItMatters returns a context that ends with the view or with the hold time,
// so that a dial into the void delays neither the next master nor the refusals.
func (c *conductor) whileItMatters(ctx context.Context) (context.Context, context.CancelFunc) {
	var cancel context.CancelFunc
	if o := c.hold.Outage(); o.Phase == hold.Holding {
		ctx, cancel = context.WithDeadline(ctx, o.Since.Add(c.hold.Window()))
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	replaced := c.o.Board.Replaced(c.view)
	c.spawn(func() {
		select {
		case <-replaced:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, cancel
}

// prepare asks a node which commands it serves and gives it what clients rely on,
// before they can ask for it.
func (c *conductor) prepare(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.set.Load().DialTimeout)
	defer cancel()
	c.learnHello(ctx)
	c.learnCommands(ctx)
	c.loadScripts(ctx)
}

// learnHello asks for what new clients are to be told while there is no master.
func (c *conductor) learnHello(ctx context.Context) {
	for i, version := range []string{"2", "3"} {
		frame, err := c.pilot.Fetch(ctx, resp.AppendCommand(nil, "HELLO", version))
		if err == nil && frame[0] != '-' {
			c.hellos[i].Store(&frame)
		}
		if i == 0 {
			c.pool.WaitCoversAll(err == nil && waitCoversAll(frame))
		}
	}
	// Back to RESP2: any answer will do.
	_, _ = c.pilot.Fetch(ctx, resp.AppendCommand(nil, "HELLO", "2"))
}

var commandCommand = resp.AppendCommand(nil, "COMMAND")

// learnCommands adds to the table what the node serves beyond it: modules, renamed and
// newer commands. What is not learnt counts as a write that is never repeated.
func (c *conductor) learnCommands(ctx context.Context) {
	frame, err := c.pilot.Fetch(ctx, commandCommand)
	if err == nil && frame[0] == '-' {
		return // the user may not ask
	}
	var served []command.Served
	if err == nil {
		served, err = command.ParseServed(frame)
	}
	if err != nil {
		c.o.Log.Warn("the master's commands are not known; those that steadis does not know count as writes",
			zap.String("master", c.view.Master), zap.Error(err))
		return
	}
	names := make(map[string]struct{}, len(served))
	for _, cmd := range served {
		names[cmd.Name] = struct{}{}
	}
	if len(names) > 0 {
		c.served.Store(&names)
	}
	c.learn(served)
}

// lacks says whether the master is known not to have a command.
func (s *Server) lacks(name string) bool {
	names := s.served.Load()
	if names == nil {
		return false
	}
	_, has := (*names)[name]
	return !has
}

// loadScripts gives a node the scripts that clients have sent.
func (c *conductor) loadScripts(ctx context.Context) {
	loads := c.scripts.loads()
	if len(loads) == 0 {
		return
	}
	if err := c.pilot.Ask(ctx, loads...); err != nil {
		c.o.Log.Warn("scripts were not loaded on the master; EVALSHA may answer NOSCRIPT",
			zap.String("master", c.view.Master), zap.Int("scripts", len(loads)), zap.Error(err))
	}
}

// resume opens the gate, if it is not open already.
func (c *conductor) resume() {
	if gate := c.pool.Gate(); gate.Open && gate.Generation == c.view.Generation {
		return
	}
	waiting, _ := c.hold.Waiting()
	opened := c.now()
	// The gate first: while it says that the hold time is over, commands are refused,
	// and nobody who has seen the outage end may be.
	c.pool.Open(c.view.Master, c.view.Generation, c.view.Epoch)
	ended := c.hold.End()
	c.outages.resumed(opened, c.view)
	c.noteEnd(ended, waiting)
	c.nodes.Store(nil) // the next heartbeat asks
	c.beats = surveyEvery - 1
	c.pool.Prepare(c.identity())
}

// noteEnd logs and measures the end of an outage.
func (c *conductor) noteEnd(ended hold.Outage, waiting int) {
	if ended.Phase == hold.Idle {
		return
	}
	took := c.now().Sub(ended.Since)
	c.metrics.outageSeconds.Observe(took.Seconds())
	c.o.Log.Info("serving commands", zap.String("master", c.view.Master), zap.Uint64("generation", c.view.Generation),
		zap.Uint64("epoch", c.view.Epoch), zap.Duration("held_for", took), zap.Int("commands_waiting", waiting))
}

// watch asks the master now and then whether it lives, until that, the view or
// the pilot's connection changes.
func (c *conductor) watch(ctx context.Context) {
	timer := time.NewTimer(c.set.Load().Heartbeat)
	defer timer.Stop()
	due := false
	select {
	case <-ctx.Done():
		return
	case <-c.o.Board.Replaced(c.view):
		return
	case <-c.pilot.Gone():
		c.lostPilot(c.pilot.Err())
		return
	case <-c.lost:
	case <-timer.C:
		c.pool.Reap(c.now())
		c.hubs.Tick()
		due = true
	}
	if c.heartbeat(ctx) && due && c.inquire(ctx) {
		c.heartbeat(ctx)
	}
}

// inquire asks the master, which has just answered, what is asked only now and then. It
// gives up when there is another view; the result says whether a heartbeat is due at once,
// as it has not answered or a connection was lost.
func (c *conductor) inquire(ctx context.Context) (doubt bool) {
	c.beats++
	look, survey := c.beats%lookEvery == 0, c.beats%surveyEvery == 0
	if !look && !survey {
		return false
	}
	ctx, cancel := context.WithCancel(ctx)
	answered := make(chan bool, 1)
	c.spawn(func() {
		if look {
			c.look(ctx)
		}
		answered <- !survey || c.survey(ctx)
	})
	select {
	case ok := <-answered:
		cancel()
		return !ok
	case <-c.o.Board.Replaced(c.view):
	case <-c.pilot.Gone():
		doubt = true
	case <-c.lost:
		doubt = true
	}
	cancel()
	<-answered
	return doubt
}

// heartbeat asks once. A master that does not answer gets no more commands: one
// that was not sent can still run elsewhere. It returns whether the master has answered.
func (c *conductor) heartbeat(ctx context.Context) bool {
	patience := c.set.Load().Heartbeat
	ask, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, asked := make(chan error, 1), c.now()
	c.spawn(func() { answer <- c.pilot.Ask(ask, upstream.Ping) })
	select {
	case err := <-answer:
		if err == nil {
			c.pool.Answered(asked)
			c.pool.Alive(c.now())
		}
		if err == nil || ctx.Err() != nil {
			return err == nil
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer to PING within %v", patience)
		}
		c.lostPilot(err)
	case <-c.o.Board.Replaced(c.view):
		cancel()
		<-answer
	}
	return false
}

// look finds out whether clients need a password now. What was true for the connections
// that there are does not hold for new clients.
func (s *Server) look(ctx context.Context) {
	edition := s.pool.Edition()
	if err := s.pool.Look(ctx); err != nil {
		return // the pilot will say what is wrong
	}
	if s.pool.Edition() != edition {
		s.o.Log.Info("what clients need to do before their first command has changed", zap.Bool("password", s.pool.NeedsAuth()))
		s.warm()
	}
}

// lostPilot shuts the gate because the master did not answer; conduct then tries
// to reach it again.
func (c *conductor) lostPilot(err error) {
	c.shut(fmt.Sprintf("%s: %v", c.view.Master, err))
	c.o.Board.Doubt(c.view.Generation, err.Error())
	c.land()
}

// rest waits for another view, or d, and meanwhile ends the hold when its time is
// over. The gate is shut.
func (c *conductor) rest(ctx context.Context, d time.Duration) {
	end := c.now().Add(d)
	for {
		now := c.now()
		if c.hold.Expire(now) {
			o := c.hold.Outage()
			c.outages.step(now, "the hold time is over: commands are refused")
			c.o.Log.Error("the hold time is over and there is no master; commands are refused until there is one",
				zap.String("reason", o.Reason), zap.Duration("hold", c.hold.Window()))
			c.pool.GiveUp()
			c.giveUpTickets()
		}
		next := end
		if o := c.hold.Outage(); o.Phase == hold.Holding {
			if due := o.Since.Add(c.hold.Window()); due.Before(next) {
				next = due
			}
		}
		if !next.After(now) {
			return
		}
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-c.o.Board.Replaced(c.view):
			timer.Stop()
			return
		case <-c.changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// noteView makes a view visible to State.
func (s *Server) noteView(v *topology.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = State{Master: v.Master, Generation: v.Generation, Epoch: v.Epoch}
}

// State returns what the data path is doing now.
func (s *Server) State() State {
	s.mu.Lock()
	st := s.state
	s.mu.Unlock()
	o := s.hold.Outage()
	st.Since, st.Reason = o.Since, o.Reason
	switch o.Phase {
	case hold.Idle:
		st.Phase = "serving"
	default:
		st.Phase = o.Phase.String()
	}
	if gate := s.pool.Gate(); o.Phase == hold.Idle && !(gate.Open && gate.Generation == st.Generation) {
		st.Phase = "holding" // the moments before the first master serves, and between two
	}
	return st
}

// Ready says whether the process should get traffic: it has a verified master, or
// holds commands for one. The text says which, or why not.
func (s *Server) Ready() (bool, string) {
	st := s.State()
	switch {
	case s.ending.Load() == leaving:
		return false, "draining: another process takes over"
	case s.ending.Load() != serving:
		return false, "draining: this proxy is shutting down"
	case st.Generation == 0:
		return false, "no " + s.role() + " of '" + s.o.MasterName + "' has been verified yet: " + s.o.Board.Load().Reason
	case st.Phase == "out":
		return false, string(s.outageReply()[len("-LOADING steadis: ") : len(s.outageReply())-2])
	}
	return true, st.Phase + ": " + s.role() + " " + st.Master
}
