package replicas

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Status is what is known of one replica, for /api/status.
type Status struct {
	Address string `json:"address"`
	// Role is what it says of itself; Fit says whether reads may go to it, Reason why not.
	Role   string `json:"role"`
	Fit    bool   `json:"fit"`
	Reason string `json:"reason,omitempty"`
	// LagMS is how old what it may lack is, in ms, to within twice probe.poll; -1 if that
	// is not known.
	LagMS int64 `json:"lag_ms"`
}

// Status gives what is known now, one row for each candidate. It may be called
// concurrently and never blocks. It must not be changed.
func (w *Watcher) Status() []Status { return *w.status.Load() }

// shoot replaces the status by one of the present state.
func (w *Watcher) shoot(now time.Time) {
	rows := []Status{}
	for _, addr := range w.state.addresses() {
		m := w.state.nodes[addr]
		if addr == w.state.master {
			continue
		}
		row := Status{Address: addr, Role: m.said.Role.String(), Fit: m.fit, Reason: m.why, LagMS: -1}
		if !m.fresh.IsZero() {
			row.LagMS = now.Sub(m.fresh).Milliseconds()
		}
		rows = append(rows, row)
	}
	w.status.Store(&rows)
}

var (
	descFit = prometheus.NewDesc("steadis_replicas_fit",
		"1 if reads may go to the replica.", []string{"replica"}, nil)
	descLag = prometheus.NewDesc("steadis_replicas_lag_seconds",
		"How old what the replica may lack is, to within twice probe.poll; absent if that is not known.", []string{"replica"}, nil)
)

// collector reads the metrics from the status when asked.
type collector struct{ w *Watcher }

// Describe implements prometheus.Collector.
func (collector) Describe(out chan<- *prometheus.Desc) { out <- descFit; out <- descLag }

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, row := range c.w.Status() {
		fit := 0.0
		if row.Fit {
			fit = 1
		}
		out <- prometheus.MustNewConstMetric(descFit, prometheus.GaugeValue, fit, row.Address)
		if row.LagMS >= 0 {
			out <- prometheus.MustNewConstMetric(descLag, prometheus.GaugeValue, float64(row.LagMS)/1000, row.Address)
		}
	}
}
