package proxy

import (
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// upstream is what connections are told of it; nil without durable mode.
func (d Durable) upstream() *upstream.Durability {
	if d.Replicas == 0 {
		return nil
	}
	return &upstream.Durability{
		Replicas: d.Replicas, Reads: !d.AnyReads,
		Timeout: strconv.FormatInt(max(1, d.Timeout.Milliseconds()), 10),
	}
}

// tooFew is what is known of replicas that do not confirm.
type tooFew struct {
	why   string
	since time.Time
}

// confirmed is a connection's: replicas were waited for.
func (s *Server) confirmed(err error) {
	before := s.tooFew.Load()
	switch {
	case err != nil && before == nil:
		if s.tooFew.CompareAndSwap(nil, &tooFew{err.Error(), s.now()}) {
			s.o.Log.Warn("too few replicas confirm writes; such commands are answered with UNCONFIRMED",
				zap.Int("durable.replicas", s.o.Durable.Replicas), zap.Error(err))
		}
	case err != nil && before.why != err.Error():
		s.tooFew.CompareAndSwap(before, &tooFew{err.Error(), before.since})
	case err == nil && before != nil:
		if s.tooFew.CompareAndSwap(before, nil) {
			s.o.Log.Info("replicas confirm writes again", zap.Duration("after", s.now().Sub(before.since)))
		}
	}
}

// shortfall says why commands are not confirmed.
func (s *Server) shortfall() string {
	if t := s.tooFew.Load(); t != nil {
		return t.why
	}
	return "too few replicas had it in time" // another connection's were enough since
}

// waitCoversAll reads from an answer to HELLO what WAIT covers at that server: see
// upstream's barrier. Valkey, whose version numbers go on from Redis' 7.2, is like that one.
func waitCoversAll(hello []byte) bool {
	var server, version string
	fields := resp.Elements(hello)
	for i := 0; i+1 < len(fields); i += 2 {
		switch value := bulkText(fields[i+1]); string(bulkText(fields[i])) {
		case "server":
			server = string(value)
		case "version":
			version = string(value)
		}
	}
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	return server == "redis" && err == nil && err2 == nil && (a < 7 || a == 7 && b < 2)
}
