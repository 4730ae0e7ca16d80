package restart

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"steadis/test/workload/wire"
)

// visitors connect, PING, SET, GET and go, again and again.
type visitors struct {
	addr  string
	end   context.CancelFunc
	all   sync.WaitGroup
	calls atomic.Int64

	mu     sync.Mutex // guards faults
	faults map[string]int
}

func startVisitors(ctx context.Context, addr string, n int) *visitors {
	ctx, end := context.WithCancel(ctx)
	v := &visitors{addr: addr, end: end, faults: map[string]int{}}
	for i := range n {
		v.all.Go(func() { v.run(ctx, i) })
	}
	return v
}

func (v *visitors) run(ctx context.Context, i int) {
	for n := 0; ctx.Err() == nil; n++ {
		if err := v.visit(ctx, "visitor:"+strconv.Itoa(i), strconv.Itoa(n)); err != nil && ctx.Err() == nil {
			v.mu.Lock()
			v.faults[err.Error()]++
			v.mu.Unlock()
		}
		v.calls.Add(1)
	}
}

func (v *visitors) visit(ctx context.Context, key, value string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c, err := wire.Dial(ctx, v.addr)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Close()
	for _, step := range []struct {
		args []string
		want any
	}{{[]string{"PING"}, "PONG"}, {[]string{"SET", key, value}, "OK"}, {[]string{"GET", key}, value}} {
		got, err := c.Do(ctx, step.args...)
		if err != nil {
			return fmt.Errorf("%s: %w", step.args[0], err)
		}
		if got != step.want {
			return fmt.Errorf("%s: got %v", step.args[0], got)
		}
	}
	return nil
}

// stop ends them and returns how many visits there were; each fault is the test's.
func (v *visitors) stop(t *testing.T) int64 {
	t.Helper()
	v.end()
	v.all.Wait()
	for fault := range maps.Keys(v.faults) {
		t.Errorf("%d visits failed: %s", v.faults[fault], fault)
	}
	return v.calls.Load()
}
