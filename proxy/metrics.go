package proxy

import (
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/proxy/hold"
	"steadis/proxy/upstream"
)

// metrics are the data path's, all named steadis_... Those that another part
// counts already are read from there at each scrape, so that no two counters can
// disagree.
type metrics struct {
	server *Server

	overflows, idle, crowdedOut   prometheus.Counter
	outages, resubscribed         prometheus.Counter
	unconfirmed, upstreamFailures prometheus.Counter
	wrongPasswords, emptied       prometheus.Counter
	inDoubt                       *prometheus.CounterVec
	outageSeconds                 prometheus.Histogram
}

var (
	descHeld     = prometheus.NewDesc("steadis_hold_commands_total", "Commands that had to wait for a connection to the master. Equals released + refused + dropped + waiting.", nil, nil)
	descReleased = prometheus.NewDesc("steadis_hold_released_total", "Held commands that were then sent to a master.", nil, nil)
	descRefused  = prometheus.NewDesc("steadis_hold_refused_total", "Held commands that were answered with an error and not run, by reason.", []string{"reason"}, nil)
	descDropped  = prometheus.NewDesc("steadis_hold_dropped_total", "Held commands that were not run because their client had hung up.", nil, nil)
	descWaiting  = prometheus.NewDesc("steadis_hold_waiting", "Commands held now.", nil, nil)
	descBytes    = prometheus.NewDesc("steadis_hold_waiting_bytes", "Bytes of the commands held now.", nil, nil)
	descPhase    = prometheus.NewDesc("steadis_phase", "1 for the phase that the data path is in: serving, holding, draining or out.", []string{"phase"}, nil)
	descGen      = prometheus.NewDesc("steadis_generation", "How many masters this process has followed.", nil, nil)
	descClients  = prometheus.NewDesc("steadis_clients", "Clients connected now.", nil, nil)
	descAccepted = prometheus.NewDesc("steadis_clients_total", "Clients accepted.", nil, nil)
	descTurned   = prometheus.NewDesc("steadis_clients_refused_total", "Clients turned away because limits.clients was reached.", nil, nil)
	descMax      = prometheus.NewDesc("steadis_clients_limit", "limits.clients.", nil, nil)
	descMaxHeld  = prometheus.NewDesc("steadis_hold_limit_commands", "hold_max_commands: how many commands may be held.", nil, nil)
	descMaxBytes = prometheus.NewDesc("steadis_hold_limit_bytes", "hold_max_bytes: how many bytes of commands may be held.", nil, nil)
	descCommands = prometheus.NewDesc("steadis_commands_total", "Commands that clients have sent.", nil, nil)
	descIn       = prometheus.NewDesc("steadis_received_bytes_total", "Bytes that clients have sent.", nil, nil)
	descOut      = prometheus.NewDesc("steadis_sent_bytes_total", "Bytes that were sent to clients.", nil, nil)
	descMade     = prometheus.NewDesc("steadis_upstream_connections_made_total", "Connections to masters that were made, for clients' commands.", nil, nil)
	descConns    = prometheus.NewDesc("steadis_upstream_connections", "Connections to the master now: shared by clients, private to one, or spare.", []string{"kind"}, nil)
	descInFlight = prometheus.NewDesc("steadis_upstream_in_flight", "Commands that the master has to answer now.", nil, nil)
	descReplicas = prometheus.NewDesc("steadis_replicas_online", "Replicas that the master says are online.", nil, nil)
	descLag      = prometheus.NewDesc("steadis_replica_lag_bytes", "How far the replica is behind, as the master says.", []string{"replica"}, nil)
	descLatency  = histogramDesc("steadis_command_seconds", "Time from a command's arrival to its reply, the time for which it was held included. One command of each batch that a client sends is measured, none that blocks.")
	descMemory   = prometheus.NewDesc("steadis_clients_memory_bytes", "Bytes of replies that clients have not read and of their commands under way, which limits.memory bounds.", nil, nil)
	descQuery    = prometheus.NewDesc("steadis_query_memory_bytes", "Bytes of unfinished commands beyond what each client has free.", nil, nil)
)

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		server:    s,
		overflows: counter("steadis_clients_overflow_total", "Clients closed because they had not read as many bytes as limits.output or limits.pubsub_output allows."),
		outages:   counter("steadis_outages_total", "Times that commands began to be held."),
		inDoubt: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "steadis_in_doubt_total",
			Help: "Writes of which nobody knows whether they ran (fate in_doubt: the reply was lost) or whether they survived (withheld: it came when the master was being replaced).",
		}, []string{"fate"}),
		unconfirmed:      counter("steadis_unconfirmed_total", "Commands that ran and were answered with an error because fewer than durable.replicas had what they wrote or read."),
		wrongPasswords:   counter("steadis_auth_refused_total", "AUTH and HELLO with a user or a password that steadis does not know (auth: static)."),
		emptied:          counter("steadis_master_emptied_total", "Times that a master had lost its data by a restart, and Sentinel was asked for another one."),
		idle:             counter("steadis_clients_idle_total", "Clients closed because they had sent nothing for limits.idle."),
		crowdedOut:       counter("steadis_clients_evicted_total", "Clients closed because all together had more than limits.memory, and they had most."),
		resubscribed:     counter("steadis_resubscribed_total", "Clients whose subscriptions were restored on another connection; messages sent meanwhile did not reach them."),
		upstreamFailures: counter("steadis_upstream_failures_total", "Connections to the master that failed or could not be made."),
		outageSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "steadis_outage_seconds", Help: "How long commands were held, for each outage that has ended.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 1.5, 2, 3, 5, 10, 20, 30, 60, 120},
		}),
	}
	for _, fate := range doubtfulFates { // else the first one's rate is lost
		m.inDoubt.WithLabelValues(fate.String())
	}
	return m
}

// doubtfulFates are those of writes in doubt.
var doubtfulFates = []upstream.Fate{upstream.InDoubt, upstream.Withheld}

// histogramDesc describes a histogram without labels.
func histogramDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, nil, nil)
}

func (m *metrics) own() []prometheus.Collector {
	return []prometheus.Collector{m.overflows, m.idle, m.crowdedOut, m.outages, m.inDoubt,
		m.unconfirmed, m.wrongPasswords, m.emptied, m.resubscribed, m.upstreamFailures, m.outageSeconds}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.own() {
		c.Collect(ch)
	}
	counts := m.server.hold.Counts()
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count(descHeld, float64(counts.Held))
	count(descReleased, float64(counts.Released))
	count(descDropped, float64(counts.Dropped))
	for _, why := range hold.Refusals {
		count(descRefused, float64(counts.Refused[why]), string(why))
	}
	gauge(descWaiting, float64(counts.Waiting))
	gauge(descBytes, float64(counts.Bytes))
	state := m.server.State()
	for _, phase := range []string{"serving", "holding", "draining", "out"} {
		v := 0.0
		if phase == state.Phase {
			v = 1
		}
		gauge(descPhase, v, phase)
	}
	gauge(descGen, float64(state.Generation))
	gauge(descClients, float64(m.server.clients()))
	gauge(descMax, float64(m.server.set.Load().Limits.Clients))
	gauge(descMaxHeld, float64(m.server.set.Load().HoldMaxCommands))
	gauge(descMaxBytes, float64(m.server.set.Load().HoldMaxBytes))
	gauge(descMemory, float64(m.server.Memory()))
	gauge(descQuery, float64(m.server.budget.Used()))
	count(descAccepted, float64(m.server.accepted.Load()))
	count(descTurned, float64(m.server.turnedAway.Load()))
	m.collectTraffic(ch)
	figures := m.server.pool.Figures()
	count(descMade, float64(figures.Made))
	gauge(descInFlight, float64(figures.InFlight))
	gauge(descConns, float64(figures.Shared), "shared")
	gauge(descConns, float64(figures.Private), "private")
	gauge(descConns, float64(figures.Spare), "spare")
	online := 0
	for _, r := range m.server.replicas() {
		if r.State == "online" {
			online++
		}
	}
	gauge(descReplicas, float64(online))
	for _, r := range m.server.replicas() {
		gauge(descLag, float64(r.LagBytes), r.Address)
	}
}

func (m *metrics) collectTraffic(ch chan<- prometheus.Metric) {
	t := &m.server.traffic
	for desc, n := range map[*prometheus.Desc]uint64{descCommands: t.commands.Load(), descIn: t.in.Load(), descOut: t.out.Load()} {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n))
	}
	latency := t.latency.counts()
	ch <- prometheus.MustNewConstHistogram(descLatency, latency.total(), float64(t.latency.nanos.Load())/1e9, latency.cumulative())
}

func (s *Server) clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

func (s *Server) noteInDoubt(fate upstream.Fate) {
	s.doubts.Add(1)
	s.metrics.inDoubt.WithLabelValues(fate.String()).Inc()
}

func (s *Server) noteResubscribed() { s.metrics.resubscribed.Inc() }

func (s *Server) noteOverflow(sess *Session) {
	s.metrics.overflows.Inc()
	hard, soft := sess.out.bounds()
	s.unread.warn("closed a client that does not read what it is sent", zap.String("addr", sess.addr),
		zap.Int64("limit", hard), zap.Int64("soft_limit", soft), zap.Bool("subscribed", sess.sub != nil))
}

func (s *Server) noteHTTP(sess *Session) {
	s.http.warn("closed a client that spoke HTTP, as an attack through a browser would", zap.String("addr", sess.addr))
}
