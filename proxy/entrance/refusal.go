package entrance

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// reason is why a connection was closed before it became a client.
type reason string

const (
	badHeader    reason = "proxy_protocol" // a header that is none, or none at all
	badHandshake reason = "tls"            // no handshake that both sides agree to
	late         reason = "timeout"
	crowded      reason = "crowded" // too many had not passed, and it was the oldest
)

var reasons = []reason{badHeader, badHandshake, late, crowded}

var errCrowded = errors.New("too many connections have not got that far, and this was the oldest")

// lateOr gives late if err says that time was over, and else other.
func lateOr(other reason, err error) reason {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return late
	}
	return other
}

// refuse counts a refusal and logs it, unless there was a line for the same reason a
// moment ago.
func (e *Entrance) refuse(why reason, client net.Conn, err error) {
	e.metrics.refused.WithLabelValues(string(why)).Inc()
	missed, ok := e.lines[why].Pass(time.Now())
	if !ok {
		return
	}
	e.o.Log.Warn("closed a connection that did not become a client", zap.String("reason", string(why)),
		zap.Stringer("addr", client.RemoteAddr()), zap.Error(err), zap.String("advice", why.advice()), zap.Int64("more_since_last_line", missed))
}

func (why reason) advice() string {
	switch why {
	case badHeader:
		return "proxy_protocol names this address, so it must send a header: set send-proxy-v2 there, or take it out"
	case badHandshake:
		return "clients of this address need TLS (rediss://) and certificates that fit section tls"
	case late:
		return "a TLS handshake or a PROXY header was not finished in time"
	}
	return "somebody opens many connections and says nothing; see limits of your firewall"
}

// metrics of an Entrance.
type metrics struct {
	refused *prometheus.CounterVec
	passing prometheus.Gauge
}

func newMetrics() *metrics {
	m := &metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "steadis_entrance_refused_total",
			Help: "Connections that were closed before they became clients, by reason: proxy_protocol, tls, timeout or crowded."}, []string{"reason"}),
		passing: prometheus.NewGauge(prometheus.GaugeOpts{Name: "steadis_entrance_passing",
			Help: "Connections that have not finished their PROXY header or TLS handshake."}),
	}
	for _, why := range reasons {
		m.refused.WithLabelValues(string(why))
	}
	return m
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	m.refused.Describe(ch)
	m.passing.Describe(ch)
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.refused.Collect(ch)
	m.passing.Collect(ch)
}
