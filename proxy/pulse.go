package proxy

import (
	"context"
	"sync"
	"time"
)

const (
	// beatEvery is the length of a Sample, pulseKept how many are kept: 10 minutes.
	beatEvery = time.Second
	pulseKept = 600
)

// Sample is what went through in one second. Latencies are in microseconds and those of
// one command of each batch that was answered; 0 if none was.
type Sample struct {
	// At is when the second ended, in ms since 1970.
	At       int64   `json:"at"`
	Phase    string  `json:"phase"`
	Commands float64 `json:"commands_per_second"`
	In       float64 `json:"bytes_in_per_second"`
	Out      float64 `json:"bytes_out_per_second"`
	P50      int64   `json:"p50_us"`
	P99      int64   `json:"p99_us"`
	Max      int64   `json:"max_us"`
	Clients  int     `json:"clients"`
	// Held is how many commands waited at the end of the second.
	Held int `json:"held"`
}

// pulse keeps the samples of the last minutes.
type pulse struct {
	mu      sync.Mutex // guards samples; nothing is called under it
	samples []Sample   // oldest first

	// Only beat's goroutine touches the fields below.
	at                time.Time
	commands, in, out uint64
	latency           latencyCounts
}

// beat takes a sample each second until ctx ends.
func (s *Server) beat(ctx context.Context) {
	defer s.wg.Done()
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	s.pulse.at = s.now()
	for {
		select {
		case <-ticker.C:
			s.sample(s.now())
			s.outages.settle(s.now(), s.doubts.Load())
		case <-ctx.Done():
			return
		}
	}
}

// sample takes one sample.
func (s *Server) sample(now time.Time) {
	p, t := &s.pulse, &s.traffic
	seconds := now.Sub(p.at).Seconds()
	if seconds <= 0 {
		return
	}
	commands, in, out, latency := t.commands.Load(), t.in.Load(), t.out.Load(), t.latency.counts()
	held, _ := s.hold.Waiting()
	fresh, longest := latency.since(p.latency), t.latency.takeLongest()
	next := Sample{
		At: now.UnixMilli(), Phase: s.State().Phase, Commands: float64(commands-p.commands) / seconds,
		In: float64(in-p.in) / seconds, Out: float64(out-p.out) / seconds,
		P50: min(fresh.quantile(.5), longest).Microseconds(), P99: min(fresh.quantile(.99), longest).Microseconds(), Max: longest.Microseconds(),
		Clients: s.clients(), Held: held,
	}
	p.at, p.commands, p.in, p.out, p.latency = now, commands, in, out, latency
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.samples) == pulseKept {
		p.samples = append(p.samples[:0], p.samples[1:]...)
	}
	p.samples = append(p.samples, next)
}

// History returns the samples of the last 10 minutes that ended after the given time, in
// ms since 1970, oldest first. It may be called concurrently.
func (s *Server) History(after int64) []Sample {
	s.pulse.mu.Lock()
	defer s.pulse.mu.Unlock()
	first := len(s.pulse.samples)
	for first > 0 && s.pulse.samples[first-1].At > after {
		first--
	}
	return append([]Sample{}, s.pulse.samples[first:]...)
}

// last returns the latest sample, the zero Sample in the first second.
func (p *pulse) last() Sample {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.samples) == 0 {
		return Sample{}
	}
	return p.samples[len(p.samples)-1]
}
