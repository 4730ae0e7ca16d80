package discovery

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"steadis/sentinel/node"
)

// metrics are the counters that the loop moves, and a collector that reads the rest
// from the status when asked. Unregistered counters work as well.
type metrics struct {
	w        *Watcher
	holds    *prometheus.CounterVec
	switches prometheus.Counter
}

var (
	descResolved = prometheus.NewDesc("steadis_discovery_resolved",
		"1 if the endpoint's name was resolved when it was last asked for, or if there is nothing to resolve.", nil, nil)
	descUp = prometheus.NewDesc("steadis_discovery_node_up",
		"1 if the node said what it is when it was last asked.", []string{"node", "role"}, nil)
	descGeneration = prometheus.NewDesc("steadis_discovery_generation",
		"Number of masters followed since the start, 0 while none has been verified.", nil, nil)
	descPhase = prometheus.NewDesc("steadis_discovery_phase",
		"1 for the phase of the view that commands go by: unknown, serving or holding.", []string{"phase"}, nil)
)

// newMetrics registers the metrics at r unless that is nil.
func newMetrics(w *Watcher, r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		w: w,
		holds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "steadis_discovery_holds_total",
			Help: "Holds begun, by the sign that began them.",
		}, []string{"cause"}),
		switches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "steadis_discovery_switches_total",
			Help: "Changes of master that were followed, the first master not counted.",
		}),
	}
	for _, cause := range holdCauses { // else the first hold's rate is lost
		m.holds.WithLabelValues(cause)
	}
	if r == nil {
		return m, nil
	}
	if err := r.Register(m); err != nil {
		return nil, fmt.Errorf("discovery: metrics: %w", err)
	}
	return m, nil
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	m.holds.Describe(out)
	m.switches.Describe(out)
	for _, d := range []*prometheus.Desc{descResolved, descUp, descGeneration, descPhase} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	m.holds.Collect(out)
	m.switches.Collect(out)
	gauge := func(d *prometheus.Desc, yes bool, labels ...string) {
		v := 0.0
		if yes {
			v = 1
		}
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	st := m.w.Status()
	out <- prometheus.MustNewConstMetric(descGeneration, prometheus.GaugeValue, float64(st.View.Generation))
	gauge(descResolved, st.Error == "" && len(st.Record) > 0)
	for _, p := range []string{"unknown", "serving", "holding"} {
		gauge(descPhase, p == st.View.Phase, p)
	}
	for _, n := range st.Nodes {
		gauge(descUp, n.Role == node.Master.String() || n.Role == node.Replica.String(), n.Address, n.Role)
	}
}
