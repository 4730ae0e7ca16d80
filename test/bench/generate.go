package main

import (
	"context"
	"errors"
	"time"

	"steadis/test/bench/load"
)

// generate has package load make a load on a target.
func (b *bench) generate(ctx context.Context, t *running, o load.Options) (figures, error) {
	o.Addr = t.addr
	if o.Time == 0 {
		o.Time = b.options.time
	}
	if o.WarmUp == 0 {
		o.WarmUp = time.Duration(float64(o.Time) * warmUpShare)
	}
	l, err := load.Dial(ctx, o)
	if err != nil {
		return figures{}, err
	}
	f, err := b.run(ctx, t, o, l)
	return f, errors.Join(err, l.Close())
}

// errSilent says that a target took the load and gave no reply while it was measured.
var errSilent = errors.New("no reply during the measurement")

// run runs a load and has the meter run with it.
func (b *bench) run(ctx context.Context, t *running, o load.Options, l *load.Load) (figures, error) {
	var m meter
	var metered error
	l.OnBegin(func() { m, metered = b.rig.meter(t) })
	result, err := l.Run(ctx)
	if err == nil {
		err = metered
	}
	if err == nil && result.Commands == 0 {
		err = errSilent
	}
	if err != nil {
		return figures{}, err
	}
	f := figuresOf(result)
	return f, m.addTo(&f, result.Commands)
}

func figuresOf(r load.Result) figures {
	return figures{Rate: r.Rate(), P50: ms(r.Waits.Percentile(50)), P99: ms(r.Waits.Percentile(99)), P999: ms(r.Waits.Percentile(99.9))}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// directMost is the median of what the clients of o reach without a proxy.
func (b *bench) directMost(ctx context.Context, o load.Options) (float64, error) {
	var rates []float64
	for range 3 {
		f, err := b.generate(ctx, b.rig.direct(), o)
		if err != nil {
			return 0, err
		}
		rates = append(rates, f.Rate)
	}
	return median(rates), nil
}
