package load

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
)

func startRedis(t *testing.T) *topology.Node {
	t.Helper()
	d, err := topology.Start(t.Context(), topology.Options{Replicas: -1, Sentinels: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d.Nodes[0]
}

func runLoad(t *testing.T, o Options) (Result, error) {
	t.Helper()
	l, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	return l.Run(t.Context())
}

// TestLoadsOnRedis has Redis itself judge what the drivers send.
func TestLoadsOnRedis(t *testing.T) {
	redis := startRedis(t)
	for name, o := range map[string]Options{
		"get":         {Clients: 20, Script: Get()},
		"large set":   {Clients: 3, Script: Set(1 << 18)},
		"pipeline":    {Clients: 5, Script: Get(), Depth: 16},
		"transaction": {Clients: 5, Script: Transaction(10)},
		"open":        {Clients: 10, Idle: 10, Script: Set(16), Rate: 500, Traces: true},
		"fan-out":     {Clients: 11, FanOut: 16},
		"hand-off":    {Clients: 10, HandOff: true},
	} {
		t.Run(name, func(t *testing.T) {
			o.Addr, o.WarmUp, o.Time = redis.Addr(), 20*time.Millisecond, 200*time.Millisecond
			r, err := runLoad(t, o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Commands == 0 || r.Waits.Count() == 0 || r.Elapsed < o.Time || r.Errors+r.Closed > 0 {
				t.Errorf("%d commands, %d waits in %v, %d errors, %d closed", r.Commands, r.Waits.Count(), r.Elapsed, r.Errors, r.Closed)
			}
			if p50, p99 := r.Waits.Percentile(50), r.Waits.Percentile(99); p50 <= 0 || p99 < p50 {
				t.Errorf("p50 %v, p99 %v", p50, p99)
			}
			if o.Rate > 0 && float64(r.Commands) > o.Rate*(r.Elapsed+o.WarmUp).Seconds()+1 {
				t.Errorf("%d commands in %v are more than were due", r.Commands, r.Elapsed)
			}
			if o.Traces && (len(r.Traces) != o.Clients || len(r.Traces[0]) == 0) {
				t.Errorf("%d traces", len(r.Traces))
			}
		})
	}
}

func TestLoadSaysWhatWentWrong(t *testing.T) {
	redis := startRedis(t)
	wrong := scriptOf(1, 1, func(int) []byte { return Command("NOSUCH") })
	o := Options{Addr: redis.Addr(), Clients: 2, Script: wrong, Time: 50 * time.Millisecond}
	if _, err := runLoad(t, o); !errors.Is(err, errReply) || !strings.Contains(err.Error(), "NOSUCH") {
		t.Errorf("an error reply: %v", err)
	}
	o.Tolerant, o.Traces = true, true
	if r, err := runLoad(t, o); err != nil || r.Errors == 0 || !strings.Contains(r.FirstError, "NOSUCH") || len(r.Traces[0]) > 0 {
		t.Errorf("tolerated: %v, %d errors, %q", err, r.Errors, r.FirstError)
	}
	o.Tolerant, o.Script = false, scriptOf(1, 1, func(int) []byte { return Command("QUIT") })
	if _, err := runLoad(t, o); !errors.Is(err, errClosed) {
		t.Errorf("a closed connection: %v", err)
	}
	gone, err := topology.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), Options{Addr: gone, Clients: 1}); err == nil {
		t.Error("nobody listens and Dial is content")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	redis := startRedis(t)
	for _, timed := range []time.Duration{0, time.Hour} {
		l, err := Dial(t.Context(), Options{Addr: redis.Addr(), Clients: 1, Script: Get(), Time: timed})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		r, err := l.Run(ctx)
		if (err != nil) != (timed > 0) || timed == 0 && r.Commands == 0 {
			t.Errorf("with a time of %v: %v, %d commands", timed, err, r.Commands)
		}
		cancel()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}
