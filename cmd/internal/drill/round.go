package drill

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// step is how often a round looks around while it waits.
	step = 50 * time.Millisecond
	// switchEvery is how often the Sentinels are asked for a new master.
	switchEvery = 25 * time.Millisecond
	// wholeEvery is how often it is looked whether the deployment is whole again.
	wholeEvery = 500 * time.Millisecond
	// readBackTime bounds the reading back, also after an interrupt.
	readBackTime = 30 * time.Second
	// wakeTime is what a frozen master gets beyond its sleep to say that it is awake.
	wakeTime = 5 * time.Second
)

// round is one round under way. It belongs to the goroutine of Run.
type round struct {
	*Drill
	watch *watch
	m     measured
	keys  string
	load  *load
	gone  departure
}

// play plays one round: load, trigger, switch, trail, read back, wait until all is
// whole. It gives nil if not even the load began. An error ends the drill.
func (d *Drill) play(ctx context.Context, n int, w *watch) (*Round, error) {
	r := &round{Drill: d, watch: w, keys: d.plan.KeyPrefix + strconv.Itoa(n) + ":", m: measured{number: n, kind: d.o.Kind}}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if n > 1 {
		if problems := d.o.look(ctx).fit(); len(problems) > 0 {
			return nil, fmt.Errorf("%w: %s", errNotFit, strings.Join(problems, "; "))
		}
	}
	if r.m.oldMaster = d.o.announced(ctx); r.m.oldMaster == "" {
		return nil, fmt.Errorf("%w: no majority of the Sentinels announces a master", errNotFit)
	}
	r.m.countsBefore, r.m.counted = w.phases.counted()
	eventsBefore := len(w.events.since(0))
	d.show.Line("")
	d.show.Line("Round %d of %d: %s write through %s; the master is %s.", n, d.o.Rounds, number(d.o.Clients, "client"), d.o.Addr, r.m.oldMaster)
	var err error
	if r.load, err = d.o.startLoad(ctx, r.keys); err != nil {
		return nil, err
	}
	w.begin(time.Now().Add(d.o.Lead))
	err = r.drive(ctx)
	r.m.load = r.load.stop()
	w.print()
	d.show.settle()
	r.m.interrupted = ctx.Err() != nil
	r.m.events, r.m.phases = w.events.since(eventsBefore), w.phases.since(0)
	r.m.countsAfter, _ = w.phases.counted()
	r.audit(ctx)
	r.awaitWhole(ctx)
	report := r.m.report()
	return &report, err
}

// drive runs the load's time: lead, trigger, switch, trail. What goes wrong with the
// round itself is its problem; an error ends the drill.
func (r *round) drive(ctx context.Context) error {
	if err := r.pass(ctx, r.o.Lead, nil); err != nil {
		return err
	}
	if now := r.o.announced(ctx); now != r.m.oldMaster && ctx.Err() == nil {
		r.m.problem = fmt.Sprintf("the master was not taken away: it changed by itself, from %s to '%s'", r.m.oldMaster, now)
		return errors.New(r.m.problem)
	}
	gone, err := r.o.trigger(ctx, r.plan.Method, r.m.oldMaster, r.freeze)
	if err != nil {
		if ctx.Err() == nil {
			r.m.problem = "the master was not taken away: " + err.Error()
		}
		return err
	}
	r.gone = gone
	r.m.triggered, r.m.triggeredBy = gone.at, gone.by
	r.watch.zero = gone.at
	r.show.event(0, colourDrill, "drill", r.plan.Method+" to "+gone.by)
	woken := r.awaitWaking(ctx)
	err = r.awaitSwitch(ctx)
	if err == nil && woken != nil {
		err = r.pass(ctx, r.freeze+wakeTime, woken)
	}
	if err == nil {
		err = r.pass(ctx, r.o.Trail, nil)
	}
	if gone.frozen != nil {
		_ = gone.frozen.Close() // ends the waiting, if it still goes on
		<-woken
	}
	return err
}

// pass lets the load run for d, or until enough is closed, and shows it.
func (r *round) pass(ctx context.Context, d time.Duration, enough <-chan struct{}) error {
	until := time.NewTimer(d)
	defer until.Stop()
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-until.C:
			return nil
		case <-enough:
			return nil
		case <-ticker.C:
			r.watch.print()
			r.watch.state(r.load)
		}
	}
}

// awaitSwitch lets the load run until a majority announces another master, at most
// the limit.
func (r *round) awaitSwitch(ctx context.Context) error {
	asking, end := context.WithCancel(ctx)
	switched := make(chan struct{})
	go r.askForSwitch(asking, switched)
	err := r.pass(ctx, r.o.Limit, switched)
	end()
	<-switched
	if err == nil && r.m.switched.IsZero() {
		r.m.problem = fmt.Sprintf("the Sentinels announced no other master within %v of %s", r.o.Limit, r.plan.Method)
	}
	r.watch.print()
	if !r.m.switched.IsZero() {
		r.show.event(r.m.switched.Sub(r.gone.at), colourDrill, "drill", "more than half of the Sentinels announce "+r.m.newMaster)
	}
	return err
}

// askForSwitch is a goroutine of awaitSwitch, which waits for it. It ends at the
// switch or with ctx, and only then may what it found be read.
func (r *round) askForSwitch(ctx context.Context, ended chan<- struct{}) {
	defer close(ended)
	for sleep(ctx, switchEvery) {
		if addr := r.o.announced(ctx); addr != "" && addr != r.m.oldMaster {
			r.m.newMaster, r.m.switched = addr, time.Now()
			return
		}
	}
}

// awaitWaking waits in a goroutine of its own for the reply of a frozen master, and
// closes woken when there is nothing more to wait for. It is nil if nobody is frozen.
func (r *round) awaitWaking(ctx context.Context) (woken chan struct{}) {
	if r.gone.frozen == nil {
		return nil
	}
	woken = make(chan struct{})
	go r.hearWaking(ctx, woken)
	return woken
}

// hearWaking is the goroutine of awaitWaking; drive waits for it. It ends at the
// latest when drive closes the connection.
func (r *round) hearWaking(ctx context.Context, woken chan<- struct{}) {
	defer close(woken)
	defer context.AfterFunc(ctx, func() { _ = r.gone.frozen.Close() })()
	_ = r.gone.frozen.SetDeadline(r.gone.at.Add(r.freeze + wakeTime)) // an error shows in Receive
	if _, err := r.gone.frozen.Receive(); err == nil {
		r.m.thawed = time.Now()
		r.show.event(r.m.thawed.Sub(r.gone.at), colourDrill, "drill", r.m.oldMaster+" is awake again and still takes itself for the master")
	}
}

// audit reads back, also after an interrupt, and deletes what was written.
func (r *round) audit(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBackTime)
	defer cancel()
	r.show.Line("Reading back ...")
	audit, err := r.o.readBack(ctx, r.m.load.record)
	if err != nil && r.m.problem == "" {
		r.m.problem = "the lists could not be read back, so nothing is known of what is lost: " + err.Error()
	}
	r.m.audit = audit
	if err := r.o.scrub(context.WithoutCancel(ctx), r.o.keys(r.keys)); err != nil {
		r.show.Line("The keys %s* could not be deleted (%v); delete them by hand.", r.keys, err)
	}
}

// awaitWhole waits until every node that was there is there again.
func (r *round) awaitWhole(ctx context.Context) {
	began := time.Now()
	r.show.Line("Waiting at most %v for the deployment to be whole again (Sentinel demotes an old master about 10 s after it sees it) ...", r.o.Settle)
	for ctx.Err() == nil {
		v := r.o.look(ctx)
		if ctx.Err() == nil {
			r.m.missing = v.missing(r.nodes, r.m.oldMaster)
			r.m.whole = len(r.m.missing) == 0
		}
		r.watch.print()
		if r.m.whole || time.Since(began) >= r.o.Settle {
			break
		}
		sleep(ctx, wholeEvery)
	}
	r.m.wholeAfter = time.Since(began)
	for _, what := range r.m.missing {
		r.show.Line("  not whole: %s", what)
	}
	if r.m.whole {
		r.show.Line("Whole again after %v.", r.m.wholeAfter.Round(100*time.Millisecond))
	}
}
