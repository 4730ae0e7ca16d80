package drill

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"steadis/sentinel"
	"steadis/test/workload/wire"
)

// Drill is one drill. Check comes first, then Run, once.
type Drill struct {
	o     Options
	id    string
	plan  Plan
	nodes []string // that must be there again after each round
	// freeze is how long a frozen master sleeps.
	freeze time.Duration
	show   *Progress
}

// New makes a drill. The error has every fault of the options.
func New(o Options, show *Progress) (*Drill, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	name := make([]byte, 4)
	// Never fails, by crypto/rand's promise.
	_, _ = rand.Read(name)
	return &Drill{o: o, id: hex.EncodeToString(name), show: show}, nil
}

// Check looks whether the deployment is fit for the drill and says what would be
// done. It changes nothing but a probe key, which it deletes. An *UnfitError says what is
// in the way.
func (d *Drill) Check(ctx context.Context) (Plan, error) {
	unfit := &UnfitError{Master: d.o.Sentinel.Master}
	report := sentinel.Check(ctx, d.o.Sentinel)
	if err := ctx.Err(); err != nil {
		return Plan{}, err
	}
	if err := report.Err(); err != nil {
		unfit.Problems = append(unfit.Problems, err.Error())
		return Plan{}, unfit
	}
	v := d.o.look(ctx)
	unfit.Problems = v.fit()
	prefix := "steadis:drill:" + d.id + ":"
	if err := d.o.tryProxy(ctx, prefix); err != nil {
		unfit.Problems = append(unfit.Problems, err.Error())
	}
	method, err := d.o.choose(ctx, v.master())
	if err != nil {
		unfit.Problems = append(unfit.Problems, err.Error())
	}
	if err := ctx.Err(); err != nil {
		return Plan{}, err
	}
	if len(unfit.Problems) > 0 {
		return Plan{}, unfit
	}
	d.freeze = d.o.freezeTime(v.settings().downAfter)
	d.plan = d.planned(v, method, prefix)
	d.nodes = append([]string{v.master()}, v.goodReplicas()...)
	d.plan.Warnings = d.warnings(ctx, v)
	return d.plan, nil
}

func (d *Drill) planned(v view, method, prefix string) Plan {
	o, s := &d.o, v.settings()
	p := Plan{
		Kind: o.Kind, Method: method, Rounds: o.Rounds, Addr: o.Addr, Admin: o.Admin, Master: o.Sentinel.Master,
		Sentinels: o.Sentinel.Addresses, MasterAddr: v.master(), Replicas: v.goodReplicas(), Quorum: s.quorum,
		DownAfterMS: millis(s.downAfter), FailoverTimeoutMS: millis(s.failoverTimeout),
		Clients: o.Clients, Readers: o.Readers, RatePerSecond: o.Rate, ValueBytes: o.ValueSize,
		LeadMS: millis(o.Lead), TrailMS: millis(o.Trail), LimitMS: millis(o.Limit), SettleMS: millis(o.Settle),
		KeyPrefix: prefix,
	}
	if o.Kind == Freeze {
		p.FreezeMS = millis(d.freeze)
	}
	return p
}

// warnings gives what whoever confirms should know of this deployment.
func (d *Drill) warnings(ctx context.Context, v view) []string {
	warnings := []string{}
	add := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	s := v.settings()
	if s.others+1 > len(v.sentinels) {
		add("Sentinel %s knows %d other Sentinels, of which %d are named here; name all of them.", s.addr, s.others, len(v.sentinels)-1)
	}
	for _, addr := range v.named() {
		if !slices.Contains(d.nodes, addr) {
			add("Replica %s could not be promoted now (%s); the drill goes on without it.", addr, v.unfit(addr))
		}
	}
	if d.plan.Method == methodShutdown {
		add("The master refuses DEBUG, so it is ended with SHUTDOWN NOSAVE: its process ends clean, which a supervisor may take for intended. For a real crash set `enable-debug-command` in redis.conf.")
	}
	if d.o.Kind == Freeze && d.freeze <= s.downAfter+time.Second {
		add("The master sleeps %v and Sentinel waits %v (down-after-milliseconds): it may be back before it is missed.", d.freeze, s.downAfter)
	}
	if d.o.Kind != Crash {
		return warnings
	}
	add("If a supervisor restarts the master within %v (down-after-milliseconds), nothing fails over, and it comes back with what it last saved%s.",
		s.downAfter, d.persistence(ctx, v.master()))
	if d.o.Rounds > len(v.goodReplicas()) {
		add("%d rounds need the old masters to come back; with %d good replicas and no supervisor it ends before.", d.o.Rounds, len(v.goodReplicas()))
	}
	return warnings
}

// persistence tells what a master would come back with.
func (d *Drill) persistence(ctx context.Context, master string) string {
	node := d.o.nodeAt(master)
	value := func(name string) string {
		reply, err := node.do(ctx, "CONFIG", "GET", name)
		if err != nil {
			return "?"
		}
		return wire.Pairs(reply)[name]
	}
	if value("appendonly") == "no" && value("save") == "" {
		return "; it saves nothing at all, so it and its replicas would be empty"
	}
	return ""
}

// Run plays the rounds and always gives a report of what was measured. The error is
// ctx's if it was interrupted, or says what kept a round from being played; flaws
// that the drill found are no error but in the report. Keys are deleted in any case.
func (d *Drill) Run(ctx context.Context) (*Report, error) {
	r := &Report{Schema: Schema, ID: d.id, Version: d.o.Version, BeganAt: time.Now(), Plan: d.plan, Notes: []string{}, Rounds: []Round{}}
	watch := d.startWatch(ctx)
	var failed error
	for n := 1; n <= d.o.Rounds && failed == nil; n++ {
		var round *Round
		round, failed = d.play(ctx, n, watch)
		if round != nil {
			r.Rounds = append(r.Rounds, *round)
			r.Notes = append(r.Notes, remarks(round)...)
		}
	}
	watch.close()
	d.show.settle()
	r.Interrupted = ctx.Err() != nil
	if failed != nil && !r.Interrupted {
		r.Notes = append(r.Notes, sentence(failed.Error()))
	}
	r.Notes = append(r.Notes, watch.events.remarks()...)
	r.EndedAt = time.Now()
	r.conclude()
	return r, failed
}

// remarks gives what should be known of a round besides its figures.
func remarks(r *Round) []string {
	var notes []string
	if !r.Whole && len(r.Missing) > 0 {
		notes = append(notes, fmt.Sprintf("After round %d the deployment was not whole again within %s: %s.", r.Number, seconds(r.WholeAfterMS), strings.Join(r.Missing, "; ")))
	}
	if r.Figures.Lost > 0 {
		notes = append(notes, fmt.Sprintf("Round %d lost writes that the old master had acknowledged and not yet replicated, or acknowledged after it was deposed. Redis replicates after it answers; durable mode closes this.", r.Number))
	}
	if r.Figures.Dropped > 0 && r.Figures.InDoubt > 0 {
		notes = append(notes, fmt.Sprintf("In round %d connections were dropped. With in_doubt: close, the default, steadis closes those whose write may or may not have run; in_doubt: error keeps them and answers -INDOUBT.", r.Number))
	}
	return notes
}

// sentence makes text end like one.
func sentence(text string) string { return strings.TrimRight(text, ".") + "." }

// errNotFit ends a drill between two rounds.
var errNotFit = errors.New("the deployment is not fit for another round")
