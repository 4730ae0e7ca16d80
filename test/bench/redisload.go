package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// redisLoad is what redis-benchmark is told to do.
type redisLoad struct {
	test              string
	clients, pipeline int
	size              int
}

func (rl redisLoad) about() string {
	return fmt.Sprintf("%s of %s, -c %d, -P %d; redis-benchmark", strings.ToUpper(rl.test), sizeName(rl.size), rl.clients, rl.pipeline)
}

func sizeName(n int) string {
	switch {
	case n >= mega:
		return strconv.Itoa(n>>20) + " MB"
	case n >= kilo:
		return strconv.Itoa(n>>10) + " kB"
	}
	return strconv.Itoa(n) + " B"
}

// warmUpShare is how long the run before a measurement is, of the measurement.
const warmUpShare = 0.25

// measure runs redis-benchmark twice: to warm up and to learn the rate, from which the
// number of commands follows that fill the time, and to measure. rates remembers them.
func (rl redisLoad) measure(ctx context.Context, b *bench, t *running, rates map[string]float64) (figures, error) {
	seconds := b.options.time.Seconds()
	if rates[t.name] == 0 {
		first, err := rl.run(ctx, t, rl.atLeast())
		if err != nil {
			return figures{}, err
		}
		rates[t.name] = first.Rate
	}
	warm, err := rl.run(ctx, t, rl.commands(rates[t.name], seconds*warmUpShare))
	if err != nil {
		return figures{}, err
	}
	n := rl.commands(warm.Rate, seconds)
	before, err := b.rig.meter(t)
	if err != nil {
		return figures{}, err
	}
	f, err := rl.run(ctx, t, n)
	if err != nil {
		return figures{}, err
	}
	rates[t.name] = f.Rate
	return f, before.addTo(&f, n)
}

// atLeast is the smallest number of commands that means anything.
func (rl redisLoad) atLeast() int {
	if rl.size >= mega {
		return 20 * rl.clients
	}
	return max(2000, 2*rl.clients*rl.pipeline)
}

func (rl redisLoad) commands(rate, seconds float64) int {
	return max(rl.atLeast(), int(rate*seconds))
}

// benchmarkTime bounds one run of redis-benchmark, which itself waits for ever for a
// target that does not answer.
const benchmarkTime = 2 * time.Minute

var errSlow = fmt.Errorf("not done within %v", benchmarkTime)

func (rl redisLoad) run(ctx context.Context, t *running, commands int) (figures, error) {
	host, port, _ := strings.Cut(t.addr, ":")
	args := []string{"-h", host, "-p", port, "-t", rl.test, "-c", strconv.Itoa(rl.clients), "-P", strconv.Itoa(rl.pipeline),
		"-d", strconv.Itoa(rl.size), "-r", strconv.Itoa(keysOf(rl.size)), "-n", strconv.Itoa(commands)}
	if t.tls {
		args = append(args, "--tls", "--insecure")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, benchmarkTime, errSlow)
	defer cancel()
	var out, complaints bytes.Buffer
	command := exec.CommandContext(ctx, "redis-benchmark", args...)
	command.Stdout, command.Stderr = &out, &complaints
	if err := command.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return figures{}, fmt.Errorf("redis-benchmark: %w: %s", err, lastLine(complaints.String()+out.String()))
	}
	return parseRedisBenchmark(out.String())
}

var (
	throughputLine = regexp.MustCompile(`throughput summary: ([0-9.]+) requests per second`)
	summaryLine    = regexp.MustCompile(`latency summary \(msec\):\s+avg\s+min\s+p50\s+p95\s+p99\s+max\s+([0-9. ]+)`)
	percentileLine = regexp.MustCompile(`(?m)^([0-9.]+)% <= ([0-9.]+) milliseconds`)
)

var errNoSummary = errors.New("redis-benchmark printed no summary")

// parseRedisBenchmark reads what redis-benchmark prints without -q and --csv, which
// leave out the percentiles beyond the 99th. Of those it prints steps; the first one at
// or above 99.9 counts, so the figure is not below the true one.
func parseRedisBenchmark(out string) (figures, error) {
	rate, summary := throughputLine.FindStringSubmatch(out), summaryLine.FindStringSubmatch(out)
	if rate == nil || summary == nil {
		return figures{}, fmt.Errorf("%w: %s", errNoSummary, lastLine(out))
	}
	columns := strings.Fields(summary[1]) // avg min p50 p95 p99 max
	if len(columns) < 6 {
		return figures{}, fmt.Errorf("%w: %s", errNoSummary, summary[1])
	}
	var f figures
	var err error
	for _, field := range []struct {
		to   *float64
		text string
	}{{&f.Rate, rate[1]}, {&f.P50, columns[2]}, {&f.P99, columns[4]}} {
		if *field.to, err = strconv.ParseFloat(field.text, 64); err != nil {
			return figures{}, fmt.Errorf("redis-benchmark: %w", err)
		}
	}
	for _, step := range percentileLine.FindAllStringSubmatch(out, -1) {
		percent, err1 := strconv.ParseFloat(step[1], 64)
		wait, err2 := strconv.ParseFloat(step[2], 64)
		if err1 == nil && err2 == nil && percent >= 99.9 {
			f.P999 = wait
			break
		}
	}
	return f, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(text, "\r", "\n")), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
