package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"steadis/test/topology"
	"steadis/test/workload"
)

// demoWatch prints, as they happen, the load, Sentinel's events and what steadis
// does. It belongs to one goroutine; only the question to steadis has its own,
// since it must not hold up the view.
type demoWatch struct {
	view   *demoView
	load   *workload.Load
	events *topology.Events
	zero   time.Time // what times are relative to

	shown  int // events printed
	acked  int64
	bucket time.Time // begin of the current line of load

	phases chan phaseChange
	end    context.CancelFunc
	ended  chan struct{}
}

// phaseChange is steadis going from one phase to another.
type phaseChange struct {
	at   time.Time
	text string
}

// shownEvents are the events of Sentinel that tell the story; the others repeat it.
var shownEvents = []string{
	"+sdown", "+odown", "+try-failover", "+elected-leader", "+selected-slave", "+promoted-slave", "+switch-master",
	"-failover-abort-not-elected", "-failover-abort-no-good-slave", "-failover-abort-slave-timeout",
}

func (d *demo) startWatch(ctx context.Context, load *workload.Load, events *topology.Events) *demoWatch {
	ctx, end := context.WithCancel(ctx)
	now := time.Now()
	w := &demoWatch{
		view: d.view, load: load, events: events, zero: now.Add(demoLead), bucket: now,
		phases: make(chan phaseChange, 64), end: end, ended: make(chan struct{}),
	}
	go w.followPhases(ctx, d.proxy)
	return w
}

func (w *demoWatch) stop() {
	w.end()
	<-w.ended
}

// setZero makes now the moment to which times are relative.
func (w *demoWatch) setZero() time.Time {
	w.zero = time.Now()
	return w.zero
}

// play prints what happens during d, in steps much shorter than a line of load.
func (w *demoWatch) play(ctx context.Context, d time.Duration) error {
	until := time.NewTimer(d)
	defer until.Stop()
	step := time.NewTicker(demoBucket / 10)
	defer step.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-until.C:
			return nil
		case change := <-w.phases:
			w.view.event(change.at.Sub(w.zero), "steadis", change.text)
		case <-step.C:
			w.print()
		}
	}
}

func (w *demoWatch) print() {
	for _, e := range w.events.Since(w.shown) {
		w.shown++
		if slices.Contains(shownEvents, e.Channel) {
			w.view.event(e.At.Sub(w.zero), e.Sentinel, e.Channel+" "+e.Payload)
		}
	}
	now := time.Now()
	if now.Sub(w.bucket) < demoBucket {
		return
	}
	live := w.load.Live()
	perSecond := int64(float64(live.Acknowledged-w.acked) / now.Sub(w.bucket).Seconds())
	w.view.bucket(now.Sub(w.zero), perSecond, live.Waiting)
	w.acked, w.bucket = live.Acknowledged, now
}

// followPhases asks steadis what it does, until ctx ends.
func (w *demoWatch) followPhases(ctx context.Context, proxy *topology.Steadis) {
	defer close(w.ended)
	ticker := time.NewTicker(demoBucket / 10)
	defer ticker.Stop()
	last := ""
	for {
		if text, err := phaseOf(ctx, proxy); err == nil && text != last {
			select {
			case w.phases <- phaseChange{time.Now(), text}:
			case <-ctx.Done():
				return
			}
			last = text
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// phaseOf asks /api/status for the phase, in words for the view.
func phaseOf(ctx context.Context, proxy *topology.Steadis) (string, error) {
	_, body, err := proxy.Status(ctx, "/api/status")
	if err != nil {
		return "", err
	}
	var answer struct {
		Proxy struct{ Phase, Master, Reason string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return "", fmt.Errorf("/api/status: %w", err)
	}
	p := answer.Proxy
	if p.Phase == "serving" {
		return "serving commands from " + p.Master, nil
	}
	return strings.TrimRight(p.Phase+": "+p.Reason, ": "), nil
}
