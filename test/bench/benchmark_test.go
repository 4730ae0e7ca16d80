package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestTargetsAreMeasuredInTurn checks on a real Redis who is measured when, and that
// a target that fails is left out from then on.
func TestTargetsAreMeasuredInTurn(t *testing.T) {
	ctx := t.Context()
	r, err := newRig(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	}()
	var order []string
	stopped, undone := 0, 0
	fake := func(name string, lacks need) target {
		return target{name: name, lacks: lacks, start: func(context.Context, *bench, string) (*running, error) {
			return &running{name: name, addr: r.master.Addr(), stop: func() error { stopped++; return nil }}, nil
		}}
	}
	b := &bench{
		options: options{repeats: 3}, rig: r, dir: t.TempDir(),
		targets: []target{fake("a", 0), fake("b", 0), fake("c", 0), fake("no pub/sub", pubsub)},
	}
	result, err := b.measureRow(ctx, row{
		name: "row", needs: pubsub | blocking, size: small,
		prepare: func(context.Context, *bench) (func() error, string, error) {
			return func() error { undone++; return nil }, "remark", nil
		},
		measure: func(_ context.Context, _ *bench, t *running) (figures, error) {
			order = append(order, t.name)
			if t.name == "b" && len(order) > 3 {
				return figures{}, errors.New("broke")
			}
			return figures{Rate: float64(len(order))}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "abcbcaca" {
		t.Errorf("order %s", got)
	}
	if len(result.Targets) != 3 || result.Targets[1].Failure != "broke" || !slices.Equal(result.Targets[0].Samples, []figures{{Rate: 1}, {Rate: 6}, {Rate: 8}}) {
		t.Errorf("%+v", result.Targets)
	}
	if result.Targets[0].Median.Rate != 6 || result.Remark != "remark" || stopped != 3 || undone != 1 {
		t.Errorf("%+v, stopped %d, undone %d", result, stopped, undone)
	}
	keys, err := r.master.Do(ctx, "DBSIZE")
	if err != nil || keys != int64(keysOf(small)) {
		t.Errorf("%v keys, %v", keys, err)
	}
}
