package proxy

import (
	"time"

	"go.uber.org/zap"

	"steadis/proxy/command"
	"steadis/proxy/hold"
	"steadis/proxy/upstream"
)

// Settings are those of the Options that a running Server takes anew.
type Settings struct {
	Commands        command.Policy
	Hold            time.Duration
	HoldMaxCommands int
	HoldMaxBytes    int64
	InDoubt         InDoubt
	User, Password  string // of UpstreamOptions: for the next connection of steadis' own
	DialTimeout     time.Duration
	Heartbeat       time.Duration
	Limits          Limits
	Drain           time.Duration
}

// settings gives those of the Options.
func (o Options) settings() Settings {
	return Settings{
		Commands: o.Commands, Hold: o.Hold, HoldMaxCommands: o.HoldMaxCommands, HoldMaxBytes: o.HoldMaxBytes,
		InDoubt: o.InDoubt, User: o.Upstream.User, Password: o.Upstream.Password, DialTimeout: o.Upstream.DialTimeout,
		Heartbeat: o.Upstream.Heartbeat, Limits: o.Limits, Drain: o.Drain,
	}
}

// With gives o with the settings of next, and all else as it is.
func (o Options) With(next Options) Options {
	set := next.settings()
	o.Commands, o.Hold, o.HoldMaxCommands, o.HoldMaxBytes = set.Commands, set.Hold, set.HoldMaxCommands, set.HoldMaxBytes
	o.InDoubt, o.Upstream.User, o.Upstream.Password, o.Upstream.DialTimeout = set.InDoubt, set.User, set.Password, set.DialTimeout
	o.Upstream.Heartbeat, o.Limits, o.Drain = set.Heartbeat, set.Limits, set.Drain
	return o
}

// inForce is what sessions go by: never changed, only replaced. A session looks at it
// once for each batch.
type inForce struct {
	Settings
	errFull []byte // for commands that must not wait
}

func newInForce(set Settings, role, master string) *inForce {
	return &inForce{Settings: set, errFull: errFull(role, master, set.holdLimits())}
}

func (set Settings) holdLimits() hold.Limits {
	return hold.Limits{Window: set.Hold, Commands: set.HoldMaxCommands, Bytes: set.HoldMaxBytes}
}

// Prepare checks the settings of o, and returns what puts them in force. Until that is
// called nothing has changed. Other options than Settings are not looked at.
func (s *Server) Prepare(o Options) (apply func(), err error) {
	set := o.orDefaults().settings()
	policy, err := command.New(set.Commands)
	if err != nil {
		return nil, err
	}
	return func() { s.configure(set, policy) }, nil
}

// configure puts settings in force, for clients that are connected as well: each goes by
// them from its next commands on.
func (s *Server) configure(set Settings, policy *command.Table) {
	s.set.Store(newInForce(set, s.role(), s.o.MasterName))
	s.hold.SetLimits(set.holdLimits())
	s.budget.SetLimit(set.Limits.QueryMemory)
	s.memory.limit.Store(set.Limits.Memory)
	s.pool.SetTimes(upstream.Times{Timeout: set.DialTimeout, Window: set.Hold, Stall: set.Hold})
	s.tables.Lock()
	s.policy = policy
	s.table.Store(policy.With(s.learnt))
	s.tables.Unlock()
	for _, sess := range s.list() {
		sess.mu.Lock()
		sess.boundOutput()
		sess.mu.Unlock()
	}
	if n := s.live.Load(); n > int64(set.Limits.Clients) {
		s.o.Log.Warn("more clients are connected than limits.clients allows; they stay, and no more are accepted",
			zap.Int64("clients", n), zap.Int("limits.clients", set.Limits.Clients))
	}
	select {
	case s.changed <- struct{}{}: // the conductor waits by the former times
	default:
	}
}

// learn makes the table of commands that is in force know what the master serves.
func (s *Server) learn(served []command.Served) {
	s.tables.Lock()
	defer s.tables.Unlock()
	s.learnt = served
	s.table.Store(s.policy.With(served))
}
