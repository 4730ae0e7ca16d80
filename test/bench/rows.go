package main

import (
	"context"
	"fmt"
	"time"

	"steadis/test/bench/load"
)

// The sizes of values.
const (
	small  = 16
	kilo   = 1 << 10
	large  = 10 << 10
	mega   = 1 << 20
	aSlice = 0.25 // of a core
)

// allRows are the rows, in the order of the report. This is no product of all clients,
// pipelines and sizes, but what shows something different from the row before.
func allRows() []row {
	return []row{
		fromRedisBenchmark("get-c1", redisLoad{test: "get", clients: 1, pipeline: 1, size: small}, true),
		fromRedisBenchmark("get-c50", redisLoad{test: "get", clients: 50, pipeline: 1, size: small}, true),
		fromRedisBenchmark("get-c500", redisLoad{test: "get", clients: 500, pipeline: 1, size: small}, true),
		fromRedisBenchmark("get-c5000", redisLoad{test: "get", clients: 5000, pipeline: 1, size: small}, false),
		fromRedisBenchmark("get-P16-c1", redisLoad{test: "get", clients: 1, pipeline: 16, size: small}, false),
		fromRedisBenchmark("get-P16-c50", redisLoad{test: "get", clients: 50, pipeline: 16, size: small}, true),
		fromRedisBenchmark("get-P16-c500", redisLoad{test: "get", clients: 500, pipeline: 16, size: small}, false),
		fromRedisBenchmark("get-P64-c50", redisLoad{test: "get", clients: 50, pipeline: 64, size: small}, false),
		fromRedisBenchmark("set-c50", redisLoad{test: "set", clients: 50, pipeline: 1, size: small}, true),
		fromRedisBenchmark("set-c500", redisLoad{test: "set", clients: 500, pipeline: 1, size: small}, false),
		fromRedisBenchmark("set-P16-c50", redisLoad{test: "set", clients: 50, pipeline: 16, size: small}, false),
		fromRedisBenchmark("get-1kB-c50", redisLoad{test: "get", clients: 50, pipeline: 1, size: kilo}, false),
		fromRedisBenchmark("set-1kB-c50", redisLoad{test: "set", clients: 50, pipeline: 1, size: kilo}, false),
		fromRedisBenchmark("get-10kB-c50", redisLoad{test: "get", clients: 50, pipeline: 1, size: large}, true),
		fromRedisBenchmark("set-10kB-c50", redisLoad{test: "set", clients: 50, pipeline: 1, size: large}, true),
		fromRedisBenchmark("get-1MB-c10", redisLoad{test: "get", clients: 10, pipeline: 1, size: mega}, false),
		fromRedisBenchmark("set-1MB-c10", redisLoad{test: "set", clients: 10, pipeline: 1, size: mega}, false),
		generated("go-get-c50", "GET, 50 clients", load.Options{Clients: 50, Script: load.Get()}, 0, false),
		generated("go-get-c500", "GET, 500 clients", load.Options{Clients: 500, Script: load.Get()}, 0, false),
		generated("go-get-c5000", "GET, 5,000 clients", load.Options{Clients: 5000, Script: load.Get()}, 0, false),
		generated("go-get-P16-c50", "GET, 50 clients, pipeline 16", load.Options{Clients: 50, Script: load.Get(), Depth: 16}, 0, false),
		generated("multi-c50", "MULTI, 10 SET, EXEC in one piece, 50 clients", load.Options{Clients: 50, Script: load.Transaction(10)}, transactions, true),
		inUnit("messages/s", generated("pubsub-100", "fan-out of 16 B messages to 100 subscribers", load.Options{Clients: 101, FanOut: small}, pubsub, true)),
		generated("blpop-50", "LPUSH to BLPOP hand-off, 50 pairs", load.Options{Clients: 100, HandOff: true}, blocking, true),
		openLoop("open-half-c50", 50, true),
		openLoop("open-half-c500", 500, false),
		throttled("quarter-c500", 500),
		idleRow("idle-10000", 10000),
		failoverRow("failover-5000", 5000, 500),
	}
}

func inUnit(unit string, r row) row {
	r.unit = unit
	return r
}

// fromRedisBenchmark is a row whose load redis-benchmark makes.
func fromRedisBenchmark(name string, rl redisLoad, short bool) row {
	rates := map[string]float64{} // by target, as of the last measurement
	return row{
		name: name, about: rl.about(), unit: "commands/s", short: short, size: rl.size,
		measure: func(ctx context.Context, b *bench, t *running) (figures, error) {
			return rl.measure(ctx, b, t, rates)
		},
	}
}

// generated is a row whose load package load makes, as fast as it is answered.
func generated(name, about string, o load.Options, needs need, short bool) row {
	return row{
		name: name, about: about + "; Go load generator", unit: "commands/s", short: short,
		needs: needs | plaintext, size: small,
		measure: func(ctx context.Context, b *bench, t *running) (figures, error) {
			return b.generate(ctx, t, o)
		},
	}
}

// openLoop is a row at half of what the same clients reach directly.
func openLoop(name string, clients int, short bool) row {
	o := load.Options{Clients: clients, Script: load.Get()}
	r := generated(name, fmt.Sprintf("GET, %d clients, open loop at half of the direct maximum", clients), o, 0, short)
	r.fixed = true
	atRate := o
	r.prepare = func(ctx context.Context, b *bench) (func() error, string, error) {
		most, err := b.directMost(ctx, o)
		atRate.Rate = most / 2
		return nil, fmt.Sprintf("the direct maximum of these clients was %.0f/s, so %.0f/s fell due", most, atRate.Rate), err
	}
	r.measure = func(ctx context.Context, b *bench, t *running) (figures, error) {
		return b.generate(ctx, t, atRate)
	}
	return r
}

// throttled is a row before a Redis that gets a quarter of a core.
func throttled(name string, clients int) row {
	o := load.Options{Clients: clients, Script: load.Get(), WarmUp: time.Second}
	r := generated(name, fmt.Sprintf("GET, %d clients, Redis limited to a quarter of a core", clients), o, 0, true)
	r.prepare = func(_ context.Context, b *bench) (func() error, string, error) {
		l, err := throttle(b.rig.master.PID(), aSlice)
		if err != nil {
			return nil, "", err
		}
		return l.release, "limited by " + l.how, nil
	}
	r.measure = func(ctx context.Context, b *bench, t *running) (figures, error) {
		timed := o
		timed.Time = max(2*b.options.time, time.Second) // several periods of the limit
		return b.generate(ctx, t, timed)
	}
	return r
}
