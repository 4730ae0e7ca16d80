package sentinel

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"steadis/sentinel/topology"
)

// metrics are the counters that the loop moves, and a collector that reads the
// rest from the snapshot when asked. Unregistered counters work as well.
type metrics struct {
	w        *Watcher
	holds    *prometheus.CounterVec
	switches *prometheus.CounterVec
	// failoverSeconds is by kind, as switches.
	failoverSeconds *prometheus.HistogramVec
}

var (
	descUp = prometheus.NewDesc("steadis_sentinel_up",
		"1 if the Sentinel answered its last question.", []string{"sentinel"}, nil)
	descSubscribed = prometheus.NewDesc("steadis_sentinel_subscribed",
		"1 if the Sentinel's events arrive; 0 means that it is only polled.", []string{"sentinel"}, nil)
	descAge = prometheus.NewDesc("steadis_sentinel_last_answer_age_seconds",
		"Time since the Sentinel last answered; absent if it never did.", []string{"sentinel"}, nil)
	descEpoch = prometheus.NewDesc("steadis_sentinel_epoch",
		"Sentinel's config-epoch of the master that is followed.", nil, nil)
	descGeneration = prometheus.NewDesc("steadis_sentinel_generation",
		"Number of masters followed since the start, 0 while none has been verified.", nil, nil)
	descSentinelEpoch = prometheus.NewDesc("steadis_sentinel_announced_epoch",
		"The config-epoch of the master that the Sentinel announces; absent if it does not know the name.", []string{"sentinel"}, nil)
	descReplicas = prometheus.NewDesc("steadis_sentinel_replicas",
		"Replicas that the Sentinel which was asked last lists, by whether they could be promoted.", []string{"state"}, nil)
	descPhase = prometheus.NewDesc("steadis_sentinel_phase",
		"1 for the phase of the view that commands go by: unknown, serving or holding.", []string{"phase"}, nil)
)

// newMetrics registers the metrics at r unless that is nil.
func newMetrics(w *Watcher, r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		w: w,
		holds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "steadis_sentinel_holds_total",
			Help: "Holds begun, by the sign that began them.",
		}, []string{"cause"}),
		switches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "steadis_sentinel_switches_total",
			Help: "Changes of master that were followed, the first master not counted, by kind: unplanned (the master was down), planned, announced (only the result was seen).",
		}, []string{"kind"}),
		failoverSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "steadis_failover_seconds",
			Help:    "Time from the first sign of a failover that the Sentinels gave to the new master being followed, by kind.",
			Buckets: []float64{.05, .1, .25, .5, 1, 1.5, 2, 3, 5, 10, 20, 30, 60},
		}, []string{"kind"}),
	}
	for _, kind := range topology.Kinds {
		m.switches.WithLabelValues(kind)
		m.failoverSeconds.WithLabelValues(kind)
	}
	for _, cause := range holdCauses { // else the first hold's rate is lost
		m.holds.WithLabelValues(cause)
	}
	if r == nil {
		return m, nil
	}
	if err := r.Register(m); err != nil {
		return nil, fmt.Errorf("sentinel: metrics: %w", err)
	}
	return m, nil
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	m.holds.Describe(out)
	m.switches.Describe(out)
	m.failoverSeconds.Describe(out)
	for _, d := range []*prometheus.Desc{descUp, descSubscribed, descAge, descEpoch, descGeneration, descSentinelEpoch, descReplicas, descPhase} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	m.holds.Collect(out)
	m.switches.Collect(out)
	m.failoverSeconds.Collect(out)
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	snap := m.w.snapshot.Load()
	gauge(descEpoch, float64(snap.status.View.Epoch))
	gauge(descGeneration, float64(snap.status.View.Generation))
	for _, p := range []string{"unknown", "serving", "holding"} {
		gauge(descPhase, truth(p == snap.status.View.Phase), p)
	}
	good := 0
	for _, r := range snap.status.Replicas {
		if r.Good() {
			good++
		}
	}
	gauge(descReplicas, float64(good), "good")
	gauge(descReplicas, float64(len(snap.status.Replicas)-good), "bad")
	for i, row := range snap.status.Sentinels {
		gauge(descUp, truth(row.Connected), row.Address)
		gauge(descSubscribed, truth(row.Subscribed), row.Address)
		if row.Master != "" {
			gauge(descSentinelEpoch, float64(row.Epoch), row.Address)
		}
		if at := snap.answered[i]; !at.IsZero() {
			gauge(descAge, time.Since(at).Seconds(), row.Address)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
