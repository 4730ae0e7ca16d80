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

	phases  chan happening
	pending []happening // not printed yet
	end     context.CancelFunc
	ended   chan struct{}
}

// happening is what somebody did at a moment.
type happening struct {
	at        time.Time
	who, what string
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
		phases: make(chan happening, 64), end: end, ended: make(chan struct{}),
	}
	go w.followPhases(ctx, d)
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
			w.pending = append(w.pending, change)
		case <-step.C:
			w.print()
		}
	}
}

func (w *demoWatch) print() {
	for _, e := range w.events.Since(w.shown) {
		w.shown++
		if slices.Contains(shownEvents, e.Channel) {
			w.pending = append(w.pending, happening{e.At, e.Sentinel, e.Channel + " " + e.Payload})
		}
	}
	slices.SortStableFunc(w.pending, func(a, b happening) int { return a.at.Compare(b.at) })
	for _, h := range w.pending {
		w.view.event(h.at.Sub(w.zero), h.who, h.what)
	}
	w.pending = nil
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
func (w *demoWatch) followPhases(ctx context.Context, d *demo) {
	defer close(w.ended)
	ticker := time.NewTicker(demoBucket / 10)
	defer ticker.Stop()
	last := ""
	for {
		if text, err := d.phase(ctx); err == nil && text != last {
			select {
			case w.phases <- happening{time.Now(), "steadis", text}:
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

// phase asks steadis' /api/status for the phase, in words for the view.
func (d *demo) phase(ctx context.Context) (string, error) {
	_, body, err := d.proxy.Status(ctx, "/api/status")
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
		label := p.Master
		if n := d.deployment.NodeAt(p.Master); n != nil {
			label = n.Label
		}
		return "serving commands from " + label, nil
	}
	return strings.TrimRight(p.Phase+": "+p.Reason, ": "), nil
}
