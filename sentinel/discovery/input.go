package discovery

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"steadis/sentinel/node"
	"steadis/sentinel/topology"
)

// An input is one thing that the core is told.
type input interface{ isInput() }

type (
	// resolved: this is what the endpoint stands for now; or why that is not known.
	resolved struct {
		record []string
		why    string
	}
	// said: a node has answered, or has not.
	said struct {
		addr string
		node.Said
	}
	// doubted: the data path distrusts the master of a generation.
	doubted struct {
		generation uint64
		reason     string
	}
	// ticked: time has passed, see state.deadline.
	ticked struct{}
)

func (resolved) isInput() {}
func (said) isInput()     {}
func (doubted) isInput()  {}
func (ticked) isInput()   {}

// An effect is one thing that the core wants done. None may block the loop.
type effect interface{ isEffect() }

type (
	// publish: put this view on the board.
	publish struct{ view topology.View }
	// resolve: ask what the endpoint stands for.
	resolve struct{}
	// ask: ask this node what it is. forget: not any more.
	ask    struct{ addr string }
	forget struct{ addr string }
	// countHold and countSwitch move the counters of the metrics.
	countHold   struct{ cause string }
	countSwitch struct{}
	// logLine: write one line.
	logLine struct {
		level  zapcore.Level
		text   string
		fields []zap.Field
	}
)

func (publish) isEffect()     {}
func (resolve) isEffect()     {}
func (ask) isEffect()         {}
func (forget) isEffect()      {}
func (countHold) isEffect()   {}
func (countSwitch) isEffect() {}
func (logLine) isEffect()     {}

// Why commands are held.
const (
	causeReplica = "replica" // the master says that it is a replica
	causeRecord  = "record"  // the name leads elsewhere, and nobody there is a master yet
)

var holdCauses = []string{causeReplica, causeRecord}

// hold is non-nil in the core while nothing new may be sent to the followed master.
type hold struct {
	since         time.Time
	cause, reason string
}
