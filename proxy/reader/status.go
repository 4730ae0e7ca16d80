package reader

import (
	"github.com/prometheus/client_golang/prometheus"

	"steadis/proxy/hold"
)

// Status is what the Reader is doing, for /api/status.
type Status struct {
	// Clients counts them all.
	Clients int `json:"clients"`
	// Lanes has a row for each lane.
	Lanes []LaneStatus `json:"lanes"`
}

// LaneStatus is one lane: the node that its clients read from, and what it does.
type LaneStatus struct {
	Node    string      `json:"node"`
	Phase   string      `json:"phase"`
	Reason  string      `json:"reason,omitempty"`
	Clients int         `json:"clients"`
	Hold    hold.Counts `json:"hold"`
}

// Status gives what is known now. It may be called concurrently.
func (r *Reader) Status() Status {
	st := Status{Lanes: []LaneStatus{}}
	for _, l := range r.list() {
		s := l.server.Status()
		st.Clients += s.Clients
		st.Lanes = append(st.Lanes, LaneStatus{Node: s.Master, Phase: s.Phase, Reason: s.Reason, Clients: s.Clients, Hold: s.Hold})
	}
	return st
}

var (
	descClients = prometheus.NewDesc("steadis_reader_clients",
		"Clients of the read-only address connected now, by the node that they read from.", []string{"node"}, nil)
	descWaiting = prometheus.NewDesc("steadis_reader_waiting",
		"Commands at the read-only address that wait for a replica now.", nil, nil)
)

// collector reads the metrics from the status when asked.
type collector struct{ r *Reader }

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	out <- descClients
	out <- descWaiting
	c.r.refused.Describe(out)
	c.r.moves.Describe(out)
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	st := c.r.Status()
	waiting := 0.0
	clients := map[string]int{}
	for _, l := range st.Lanes {
		waiting += float64(l.Hold.Waiting)
		clients[l.Node] += l.Clients
	}
	for node, n := range clients {
		out <- prometheus.MustNewConstMetric(descClients, prometheus.GaugeValue, float64(n), node)
	}
	out <- prometheus.MustNewConstMetric(descWaiting, prometheus.GaugeValue, waiting)
	c.r.refused.Collect(out)
	c.r.moves.Collect(out)
}
