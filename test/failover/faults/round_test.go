package faults

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"steadis/test/topology"
	"steadis/test/workload"
	"steadis/test/workload/wire"
)

// outcome is what one round showed.
type outcome struct {
	audit *workload.Audit
	// lostLate are lost writes that the fault gives no right to lose.
	lostLate int
	// served is the time until full service, see service; negative if the fault has
	// no such moment, or there was none.
	served time.Duration
	// fresh is the time from heal until a new client had a write acknowledged, where
	// the same master serves on; elsewhere the writers tell as much.
	fresh time.Duration
	// control is the slowest PING that the master answered without steadis, where
	// nothing may be slow: what the machine itself has to answer for.
	control time.Duration
	// order is porcupine's verdict; empty if nobody asked it.
	order porcupine.CheckResult
	// record and checked are the history: of the load, and of the checker.
	record  *workload.Record
	checked []porcupine.Operation
}

// warmUp is how long the load runs before a fault, once it is under way.
const warmUp = time.Second

// roundPatience bounds a round.
const roundPatience = 3 * time.Minute

// switchWatch waits for a majority that announces another master.
type switchWatch struct {
	end   context.CancelFunc
	ended chan struct{}
	at    time.Time // valid once ended is closed, as are addr and err
	addr  string    // of the new master
	err   error
}

func watchSwitch(ctx context.Context, d *topology.Deployment, not string) *switchWatch {
	ctx, end := context.WithCancel(ctx)
	w := &switchWatch{end: end, ended: make(chan struct{})}
	go w.run(ctx, d, not)
	return w
}

func (w *switchWatch) run(ctx context.Context, d *topology.Deployment, not string) {
	defer close(w.ended)
	sw, err := d.AwaitMajority(ctx, not)
	w.at, w.addr, w.err = sw.At, sw.Addr, err
}

// stop ends the watch and tells when there was a switch; zero if there was none.
func (w *switchWatch) stop() time.Time {
	w.end()
	<-w.ended
	return w.at
}

// await waits for the switch, no longer than steadis holds.
func (w *switchWatch) await(ctx context.Context) (time.Time, error) {
	timer := time.NewTimer(hold)
	defer timer.Stop()
	select {
	case <-w.ended:
		return w.at, w.err
	case <-timer.C:
		return time.Time{}, errors.New("no majority announced a new master within the hold time")
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
}

// play plays a fault once and fills in the outcome, as far as it gets. It fails the
// test where the deployment or the load did not do what they must for the round to
// mean anything, and where writers were left waiting.
func (st *stage) play(t *testing.T, f fault, round, seed int, o *outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), roundPatience)
	defer cancel()
	st.random = source(seed, fmt.Sprintf("%s %d", f.name, round))
	must(t, st.settle(ctx))
	st.begin(ctx, t, f)
	defer st.events.Close() // what it recorded stays
	var check *checker
	if st.way.addr != "" && st.mode.judged {
		check = startChecker(ctx, st.way.addr, fmt.Sprintf("checked:%d:", time.Now().UnixNano()))
		defer check.stop()
	}
	control := workload.StartPinger(ctx, st.old.DirectAddr(), 20*time.Millisecond)
	defer control.Stop()
	var reference time.Time
	err := errors.Join(st.progress(ctx, 2000), pause(ctx, warmUp))
	if err == nil {
		reference, err = st.breakAndHeal(ctx, t, f, o)
	}
	o.record = st.load.Stop(10 * time.Second)
	if check != nil {
		o.checked = check.stop()
	}
	must(t, err)
	for _, ping := range control.Stop() {
		o.control = max(o.control, ping.Took)
	}
	must(t, st.settle(ctx))
	st.readBack(ctx, t, f, reference, o)
}

// readBack holds what the writers were told against what is there.
func (st *stage) readBack(ctx context.Context, t *testing.T, f fault, reference time.Time, o *outcome) {
	t.Helper()
	master, err := st.d.Master(ctx)
	must(t, err)
	lists, err := readLists(ctx, master, o.record)
	must(t, err)
	o.audit = o.record.Judge(lists)
	o.lostLate = st.tooMany(f, o.record, lostWrites(o.record, lists), reference)
	if served, all := fullService(o.record, reference); all && f.service != throughout && f.service != held {
		o.served = served
	}
	if o.checked != nil {
		o.order = linearizable(o.checked)
	}
}

// settle waits until nothing is left of what happened before, neither in the
// deployment nor in what steadis knows of it.
func (st *stage) settle(ctx context.Context) error {
	if err := st.hurrySentinels(ctx); err != nil {
		return err
	}
	if err := st.d.AwaitSettled(ctx); err != nil || st.way.ready == nil {
		return err
	}
	return st.await(ctx, st.mode.name+" to be ready", st.way.ready)
}

// hearsEverySentinel says whether steadis has its subscriptions: without one it
// learns of a failover later.
func (st *stage) hearsEverySentinel(ctx context.Context) error {
	m, err := st.steadis.Metrics(ctx)
	if err != nil {
		return err
	}
	if n := topology.Sum(m, "steadis_sentinel_subscribed"); int(n) != len(st.d.Sentinels) {
		return fmt.Errorf("it hears %v Sentinels", n)
	}
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// begin starts the load.
func (st *stage) begin(ctx context.Context, t *testing.T, f fault) {
	t.Helper()
	var err error
	st.old, err = st.d.Master(ctx)
	must(t, err)
	_, err = st.old.Do(ctx, "FLUSHALL")
	must(t, err)
	st.events, err = st.d.Events(ctx)
	must(t, err)
	load := f.load // lists of its own: a node that restarts may bring old ones back
	load.KeyPrefix = fmt.Sprintf("load:%d:", time.Now().UnixNano())
	st.loadBegan = time.Now()
	st.load, err = st.way.load(ctx, load)
	if err != nil {
		st.events.Close()
		t.Fatal(err)
	}
}

// breakAndHeal is the round itself, up to where every former master has been demoted
// under load. It gives the moment from which everybody had to be served.
func (st *stage) breakAndHeal(ctx context.Context, t *testing.T, f fault, o *outcome) (reference time.Time, err error) {
	t.Helper()
	watch := watchSwitch(ctx, st.d, st.old.Addr())
	defer func() { watch.stop() }()
	st.struck = time.Now()
	err = f.inject(ctx, st)
	if err == nil && f.service == switched {
		reference, err = watch.await(ctx)
	}
	if err == nil && f.again {
		watch = watchSwitch(ctx, st.d, watch.addr) // the former one has ended
	}
	if err == nil {
		err = pause(ctx, f.lasts)
	}
	st.heal(t, f)
	st.healed = time.Now()
	if f.service != switched {
		reference = st.healed
	}
	if err == nil && st.mode.judged && f.service == restored {
		o.fresh, err = st.freshClient(ctx, reference)
	}
	if err == nil {
		err = st.served(ctx, reference)
	}
	if at := watch.stop(); at.After(reference) { // a switch that the fault need not bring about
		reference = at
	}
	if err == nil {
		err = st.demote(ctx)
	}
	return reference, err
}

// demote waits until every former master is a replica, and for the load to go on. What
// others lose until then depends on how long Sentinel takes, so nobody helps it there.
func (st *stage) demote(ctx context.Context) error {
	if !st.mode.judged {
		return st.d.AwaitSettled(ctx)
	}
	if err := st.d.Demote(ctx); err != nil {
		return err
	}
	return st.progress(ctx, 500)
}

// heal undoes the fault and brings back whatever died of it.
func (st *stage) heal(t *testing.T, f fault) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	defer cancel()
	var err error
	if f.heal != nil {
		err = f.heal(ctx, st)
	}
	if err := errors.Join(err, st.network.Heal(), st.d.Mend(ctx)); err != nil {
		t.Errorf("heal: %v", err)
	}
}

// freshClient has a client that nobody knew before write, and tells how long after the
// moment its write was acknowledged.
func (st *stage) freshClient(ctx context.Context, moment time.Time) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, hold)
	defer cancel()
	err := st.await(ctx, "a new client to be served", func(ctx context.Context) error {
		c, err := wire.Dial(ctx, st.way.addr)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Do(ctx, "SET", "fresh", "1")
		return err
	})
	return time.Since(moment), err
}

// served waits until no writer waits with a command from before the moment. In a
// mode to compare with it may give up: that is its figure.
func (st *stage) served(ctx context.Context, moment time.Time) error {
	patience := hold + 10*time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := st.load.Live().Acknowledged
	err := st.await(ctx, "everybody to be served", func(context.Context) error {
		live := st.load.Live()
		if live.Acknowledged < before+500 || live.Waiting > time.Since(moment) {
			return fmt.Errorf("%+v, %v after the moment from which they must be", live, time.Since(moment))
		}
		return nil
	})
	if !st.mode.judged {
		return nil
	}
	return err
}

// mustBeOrdered says whether the history has to be linearizable: where nothing
// may be lost.
func (st *stage) mustBeOrdered(f fault) bool { return st.mode.durable || f.losses == nothing }

// tooMany counts the lost writes that should not be lost.
func (st *stage) tooMany(f fault, record *workload.Record, lost []workload.Op, reference time.Time) int {
	switch {
	case st.mode.durable || f.losses == nothing:
		return len(lost)
	case f.losses == unreplicated:
		return sentAfter(lost, record, reference)
	case f.losses == unwarned:
		return sentAfter(lost, record, st.warned().Add(warningTime))
	}
	return 0
}

// warningTime is how long steadis may take to act on a Sentinel's word.
const warningTime = 100 * time.Millisecond

// warned is when the first Sentinel began a failover; never if none did.
func (st *stage) warned() time.Time {
	for _, e := range st.events.Since(0) {
		if e.Channel == "+try-failover" {
			return e.At
		}
	}
	return time.Now()
}
