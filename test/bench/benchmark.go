package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// bench is one run.
type bench struct {
	options options
	rig     *rig
	targets []target
	dir     string // of the targets' files, gone afterwards
	started int    // targets started so far
}

// measureAll measures all rows. With an error the report has the rows till then.
func measureAll(ctx context.Context, o options, rows []row) (rep report, err error) {
	b := &bench{options: o}
	if b.dir, err = os.MkdirTemp("", "steadis-bench-"); err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.rig, err = newRig(ctx); err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, b.rig.close()) }()
	rep = newReport(ctx, o)
	if b.targets, rep.Remarks, err = b.findTargets(); err != nil {
		return report{}, err
	}
	for i, r := range rows {
		began := time.Now()
		measured, err := b.measureRow(ctx, r)
		if err != nil {
			return rep, fmt.Errorf("row %s: %w", r.name, err)
		}
		rep.Rows = append(rep.Rows, measured)
		fmt.Fprintf(os.Stderr, "%d/%d %s: %s (%.0f s)\n", i+1, len(rows), r.name, measured.brief(), time.Since(began).Seconds())
	}
	return rep, nil
}

// measureRow measures one row: repeats rounds, in each of them every target once, each
// round beginning with another one. A target that fails is left out from then on.
func (b *bench) measureRow(ctx context.Context, r row) (result rowResult, err error) {
	result = rowResult{Name: r.name, About: r.about, Unit: r.unit, Fixed: r.fixed}
	if err := b.rig.fill(ctx, r.size); err != nil {
		return result, err
	}
	entries, err := b.enter(ctx, r)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, stopAll(entries)) }()
	if err := b.rig.notePeace(ctx); err != nil {
		return result, err
	}
	if r.prepare != nil {
		undo, remark, err := r.prepare(ctx, b)
		if err != nil {
			return result, err
		}
		result.Remark = remark
		if undo != nil {
			defer func() { err = errors.Join(err, undo()) }()
		}
	}
	for round := range b.options.repeats {
		for i := range entries {
			if err := b.measureOnce(ctx, r, entries[(i+round)%len(entries)]); err != nil {
				return result, err
			}
		}
	}
	for _, e := range entries {
		result.Targets = append(result.Targets, e.result())
	}
	return result, nil
}

// entry is a target in a row.
type entry struct {
	target  target
	running *running // nil unless the row starts its targets once
	samples []figures
	failure error
}

// enter gives the targets that can do what the row needs, started if the row starts them
// once.
func (b *bench) enter(ctx context.Context, r row) ([]*entry, error) {
	var entries []*entry
	for _, t := range b.targets {
		if t.lacks&r.needs != 0 {
			continue
		}
		e := &entry{target: t}
		if r.start == once {
			var err error
			if e.running, err = b.start(ctx, t); err != nil {
				return nil, errors.Join(err, stopAll(entries))
			}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// start starts a target in a directory of its own.
func (b *bench) start(ctx context.Context, t target) (*running, error) {
	b.started++
	dir := filepath.Join(b.dir, strconv.Itoa(b.started))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	return t.start(ctx, b, dir)
}

func stopAll(entries []*entry) error {
	var all error
	for _, e := range entries {
		if e.running != nil {
			all = errors.Join(all, e.running.stop())
		}
	}
	return all
}

// measureOnce adds a measurement to e. Only what no target can be blamed for is an error.
func (b *bench) measureOnce(ctx context.Context, r row, e *entry) (err error) {
	if e.failure != nil {
		return nil
	}
	if err := b.rig.awaitPeace(ctx); err != nil {
		return err
	}
	t := e.running
	if r.start == anew {
		if t, err = b.start(ctx, e.target); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, t.stop()) }()
	}
	f, err := r.measure(ctx, b, t)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		e.failure = err
		return nil
	}
	e.samples = append(e.samples, f)
	return nil
}

func (e *entry) result() targetResult {
	t := targetResult{Name: e.target.name, Samples: e.samples, Median: medians(e.samples)}
	if e.failure != nil {
		t.Failure = e.failure.Error()
	}
	return t
}
