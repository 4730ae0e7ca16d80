package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"steadis/test/topology"
	"steadis/test/workload"
)

// How long the parts of a demo last.
const (
	demoSetUp   = 90 * time.Second       // limit for starting everything
	demoRound   = 60 * time.Second       // limit for one failover
	demoLead    = 2 * time.Second        // load before the failover
	demoTrail   = 3 * time.Second        // load after service has resumed
	demoBucket  = 250 * time.Millisecond // one line of the live view
	demoWriters = 8
)

// demoKinds are the ways in which the demo's master goes, by name.
var demoKinds = map[string]struct {
	says    string
	trigger func(context.Context, *topology.Deployment, *topology.Node) error
}{
	"crash": {"SIGKILL to the master", func(_ context.Context, _ *topology.Deployment, m *topology.Node) error { return m.Kill() }},
	"freeze": {"SIGSTOP to the master: its connections stay open and say nothing",
		func(_ context.Context, _ *topology.Deployment, m *topology.Node) error { return m.Freeze() }},
	"failover": {"SENTINEL FAILOVER with a healthy master",
		func(ctx context.Context, d *topology.Deployment, _ *topology.Node) error { return d.Failover(ctx) }},
}

// demo is one run of `steadis demo`.
type demo struct {
	kind   string
	rounds int
	keep   bool
	binary string // the steadis that is shown

	deployment *topology.Deployment
	proxy      *topology.Steadis
	view       *demoView
}

func newDemoCommand(e *env) *cobra.Command {
	d := &demo{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a failover of a whole deployment on this machine, with nothing configured",
		Long: "demo starts a Redis master, two replicas, three Sentinels and steadis on free loopback ports,\n" +
			"writes through steadis, takes the master away, shows the hold and the recovery as they happen,\n" +
			"and reads everything back. It ends with 0 only if nothing was lost, doubled or dropped.",
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&d.kind, "kind", "crash", "How the master goes: crash, freeze or failover")
	cmd.Flags().IntVar(&d.rounds, "rounds", 1, "Number of failovers, one after the other")
	completeFlag(cmd, "kind", slices.Sorted(maps.Keys(demoKinds))...)
	cmd.Flags().BoolVar(&d.keep, "keep", false, "Leave everything running afterwards, until Ctrl-C")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		if _, known := demoKinds[d.kind]; !known {
			return &exitError{code: exitUsage, err: fmt.Errorf("--kind %q: want crash, freeze or failover", d.kind)}
		}
		if d.rounds < 1 {
			return &exitError{code: exitUsage, err: fmt.Errorf("--rounds %d: want at least 1", d.rounds)}
		}
		d.view = newDemoView(e.stdout, e.environ)
		return d.run(cmd.Context())
	})
	return cmd
}

// run plays the whole demo. Whatever was started has ended when it returns.
func (d *demo) run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "steadis-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if d.proxy != nil {
			err = errors.Join(err, d.proxy.Stop())
		}
		if d.deployment != nil {
			err = errors.Join(err, d.deployment.Close())
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	if err := d.setUp(ctx, dir); err != nil {
		return err
	}
	flawless := true
	for round := 1; round <= d.rounds; round++ {
		audit, err := d.playRound(ctx, round)
		if err != nil {
			return err
		}
		flawless = flawless && audit.Flawless() && len(unexpected(audit)) == 0
	}
	if d.keep {
		d.view.line("")
		d.view.line("Everything keeps running until Ctrl-C:")
		d.printAddresses()
		d.view.line("")
		d.view.line("A drill of your own:  steadis drill --addr %s --admin %s --sentinel %s --master %s --kind freeze",
			d.proxy.Addr, d.proxy.AdminAddr, d.deployment.SentinelAddrs(), d.deployment.Name())
		<-ctx.Done()
		return nil
	}
	if !flawless {
		return errFailed
	}
	return nil
}

// setUp starts the deployment and steadis.
func (d *demo) setUp(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, demoSetUp)
	defer cancel()
	if d.binary == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find the program that runs: %w", err)
		}
		d.binary = self
	}
	d.view.line("Starting a Redis master, 2 replicas and 3 Sentinels (down-after 1 s) on loopback ...")
	var err error
	if d.deployment, err = topology.Start(ctx, topology.Options{Dir: dir, Debug: true}); err != nil {
		return err
	}
	d.proxy, err = topology.RunSteadis(ctx, topology.SteadisOptions{
		Binary: d.binary, Dir: dir,
		Args: []string{"--sentinel", d.deployment.SentinelAddrs(), "--master", d.deployment.Name(), "--in-doubt", "error"},
	})
	if err != nil {
		return err
	}
	d.printAddresses()
	d.view.line("")
	d.view.line("steadis runs with --in-doubt error: a write whose reply was lost is answered with -INDOUBT, never repeated,")
	d.view.line("and no connection is closed (the default closes it, which client libraries understand).")
	return nil
}

func (d *demo) printAddresses() {
	for _, n := range d.deployment.Nodes {
		d.view.line("  %-10s  %s  (pid %d)", n.Label, n.Addr(), n.PID())
	}
	for _, n := range d.deployment.Sentinels {
		d.view.line("  %-10s  %s  (pid %d)", n.Label, n.Addr(), n.PID())
	}
	d.view.line("  %-10s  %s  (pid %d), admin http://%s", "steadis", d.proxy.Addr, d.proxy.PID(), d.proxy.AdminAddr)
}

// playRound loads the deployment, takes its master away, and judges.
func (d *demo) playRound(ctx context.Context, round int) (*workload.Audit, error) {
	ctx, cancel := context.WithTimeout(ctx, demoRound)
	defer cancel()
	if round > 1 {
		d.view.line("")
		d.view.line("Bringing the old master back, until everything is in sync ...")
		err := errors.Join(d.deployment.Mend(ctx), d.deployment.Demote(ctx), d.deployment.AwaitSettled(ctx))
		if err != nil {
			return nil, err
		}
	}
	old, err := d.deployment.Master(ctx)
	if err != nil {
		return nil, err
	}
	load, err := workload.Start(ctx, workload.Options{Addr: d.proxy.Addr, Writers: demoWriters, Pause: time.Millisecond})
	if err != nil {
		return nil, err
	}
	taken, err := d.watchFailover(ctx, load, old)
	record := load.Stop(5 * time.Second)
	if err != nil {
		return nil, err
	}
	master, err := d.deployment.Master(ctx)
	if err != nil {
		return nil, err
	}
	audit, err := record.Audit(ctx, workload.Source{Addr: master.Addr()})
	if err != nil {
		return nil, err
	}
	d.printVerdict(audit, taken, old, master)
	return audit, nil
}

// watchFailover runs the live view: lead, trigger, hold, recovery, trail. It gives
// how long Sentinel took.
func (d *demo) watchFailover(ctx context.Context, load *workload.Load, old *topology.Node) (time.Duration, error) {
	events, err := d.deployment.Events(ctx)
	if err != nil {
		return 0, err
	}
	defer events.Close()
	d.view.line("")
	d.view.line("%d writers append 1, 2, 3 ... to lists of their own through %s; the master is %s.", demoWriters, d.proxy.Addr, old.Label)
	watch := d.startWatch(ctx, load, events)
	defer watch.stop()
	if err := watch.play(ctx, demoLead); err != nil {
		return 0, err
	}
	kind := demoKinds[d.kind]
	began := watch.setZero()
	switched, abandon := d.awaitSwitch(ctx, old)
	defer abandon()
	if err := kind.trigger(ctx, d.deployment, old); err != nil {
		return 0, err
	}
	d.view.event(0, "demo", kind.says)
	var announced switchResult
	for announced.err == nil && announced.at.IsZero() {
		if err := watch.play(ctx, demoBucket/5); err != nil {
			return 0, err
		}
		select {
		case announced = <-switched:
		default:
		}
	}
	if announced.err != nil {
		return 0, announced.err
	}
	if err := watch.play(ctx, demoTrail/3); err != nil {
		return 0, err
	}
	if d.kind == "freeze" {
		if err := old.Thaw(); err != nil {
			return 0, err
		}
		d.view.event(time.Since(began), "demo", "SIGCONT to the old master: it still takes itself for the master")
	}
	return announced.at.Sub(began), watch.play(ctx, demoTrail*2/3)
}

// switchResult is what awaitSwitch found out.
type switchResult struct {
	at  time.Time
	err error
}

// awaitSwitch asks the Sentinels in its own goroutine until a majority announces
// another master. abandon ends it and returns once it has ended.
func (d *demo) awaitSwitch(ctx context.Context, old *topology.Node) (result <-chan switchResult, abandon func()) {
	ctx, cancel := context.WithCancel(ctx)
	out, ended := make(chan switchResult, 1), make(chan struct{})
	go func() {
		defer close(ended)
		sw, err := d.deployment.AwaitMajority(ctx, old.Addr())
		out <- switchResult{sw.At, err}
	}()
	return out, func() {
		cancel()
		<-ended
	}
}

// unexpected gives the classes of errors that no failover explains.
func unexpected(a *workload.Audit) []string {
	var classes []string
	for class := range a.Errors {
		if class != "INDOUBT" {
			classes = append(classes, class)
		}
	}
	slices.Sort(classes)
	return classes
}

func (d *demo) printVerdict(a *workload.Audit, sentinelTook time.Duration, old, master *topology.Node) {
	v := d.view
	v.line("")
	v.line("Read back from the new master, %s (the old one was %s):", master.Label, old.Label)
	v.figure("acknowledged", "%d writes", a.Acknowledged)
	v.verdict("lost", a.Lost == 0, "%d acknowledged writes that are not there", a.Lost)
	v.verdict("doubled", a.Doubled == 0, "%d", a.Doubled)
	v.verdict("out of order", a.Reordered == 0, "%d", a.Reordered)
	v.verdict("dropped", a.Dropped == 0, "%d client connections", a.Dropped)
	v.figure("in doubt", "%d writes answered with -INDOUBT or not at all; %d of them ran", a.UnknownPresent+a.UnknownAbsent, a.UnknownPresent)
	other := unexpected(a)
	v.verdict("other errors", len(other) == 0, "%d %v", len(other), other)
	v.figure("longest wait", "%v; Sentinel itself took %v to name the new master", a.LongestWait.Round(time.Millisecond), sentinelTook.Round(time.Millisecond))
	v.figure("usual wait", "median %v, p99 %v", a.P50.Round(10*time.Microsecond), a.P99.Round(10*time.Microsecond))
	for _, example := range a.Examples {
		v.line("    %s", example)
	}
	if a.Lost > 0 && d.kind != "failover" {
		v.line("  Lost writes had not reached the promoted replica when the master died: Redis replicates after it answers.")
	}
}
