package sentinel

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"steadis/sentinel/topology"
)

// An input is one thing that the core is told: a small value, made by a session,
// by the asker of ROLE, by the data path or by the clock. from is always the
// dialled address of the Sentinel that speaks.
type input interface{ isInput() }

type (
	// answered: a Sentinel has answered a question that was sent at asked.
	answered struct {
		from   string
		asked  time.Time
		runid  string // what it says its own id is; empty if it cannot say
		answer answer
	}
	// failed: a question was not answered.
	failed struct{ from, why string }
	// subscription: its events arrive from now on, or no longer. forbidden: it
	// refused SUBSCRIBE, so it is polled only.
	subscription struct {
		from      string
		on        bool
		forbidden bool
		why       string
	}
	// heard: a Sentinel published an event.
	heard struct {
		from  string
		event event
	}
	// listed: a Sentinel gave its list of other Sentinels.
	listed struct {
		from  string
		peers []peer
	}
	// replicated: a Sentinel gave its list of replicas.
	replicated struct {
		from     string
		replicas []replica
	}
	// roleSaid: a node was asked for its ROLE; id is that of the askRole effect.
	roleSaid struct {
		id     uint64
		role   role
		detail string
	}
	// doubted: the data path distrusts the master of a generation.
	doubted struct {
		generation uint64
		reason     string
	}
	// planned: the master of a generation is to be replaced; commands are to be held until
	// Sentinel has begun that, at most until then. unplanned: not any more.
	planned struct {
		generation uint64
		plan
		seen chan<- struct{} // closed once what follows from it is on the board; may be nil
	}
	unplanned struct{}
	// ticked: time has passed, see state.deadline.
	ticked struct{}
)

func (answered) isInput()     {}
func (failed) isInput()       {}
func (subscription) isInput() {}
func (heard) isInput()        {}
func (listed) isInput()       {}
func (replicated) isInput()   {}
func (roleSaid) isInput()     {}
func (doubted) isInput()      {}
func (planned) isInput()      {}
func (unplanned) isInput()    {}
func (ticked) isInput()       {}

// An effect is one thing that the core wants done. The loop carries effects out
// in order; none of them may block it.
type effect interface{ isEffect() }

type (
	// publish: put this view on the board.
	publish struct{ view topology.View }
	// askRole: ask addr for its ROLE on a connection of its own and tell the
	// answer with this id.
	askRole struct {
		id   uint64
		addr string
	}
	// askSentinel: ask this Sentinel now; an empty addr means all of them.
	askSentinel struct{ addr string }
	// setPace: ask this Sentinel every so often, jittered.
	setPace struct {
		addr  string
		every time.Duration
	}
	// learn: open a session to this Sentinel; forget: close it.
	learn  struct{ addr string }
	forget struct{ addr string }
	// raiseFence: stop writes at this node, in pauses of so long; dropFence: no more.
	raiseFence struct {
		addr  string
		pulse time.Duration
	}
	dropFence struct{}
	// countHold and countSwitch move the counters of the metrics.
	countHold   struct{ cause string }
	countSwitch struct {
		kind string
		held time.Duration
	}
	// logLine: write one line.
	logLine struct {
		level  zapcore.Level
		text   string
		fields []zap.Field
	}
)

func (publish) isEffect()     {}
func (askRole) isEffect()     {}
func (askSentinel) isEffect() {}
func (setPace) isEffect()     {}
func (learn) isEffect()       {}
func (forget) isEffect()      {}
func (raiseFence) isEffect()  {}
func (dropFence) isEffect()   {}
func (countHold) isEffect()   {}
func (countSwitch) isEffect() {}
func (logLine) isEffect()     {}

// role is what a Redis node says it is.
type role uint8

const (
	roleUnasked role = iota
	// roleMaster: ROLE says master.
	roleMaster
	// roleReplica: ROLE says slave, or sentinel: not a master.
	roleReplica
	// roleCannotSay: the node is there but will not tell us (NOAUTH, NOPERM,
	// ROLE renamed away). That is no evidence in either direction.
	roleCannotSay
	// roleSilent: no connection, no answer, or an answer that is none.
	roleSilent
)

// String is the word that logs and reports use.
func (r role) String() string {
	switch r {
	case roleMaster:
		return "master"
	case roleReplica:
		return "replica"
	case roleCannotSay:
		return "cannot say"
	case roleSilent:
		return "no answer"
	default:
		return ""
	}
}
