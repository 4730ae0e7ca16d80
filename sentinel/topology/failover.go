package topology

import (
	"cmp"
	"slices"
	"time"
)

// Step is one thing that was seen or done at a failover, and who said so.
type Step struct {
	At   time.Time `json:"at"`
	Name string    `json:"name"`
	By   string    `json:"by,omitempty"`
}

// The kinds of a change of master, also the values of the metrics' label.
const (
	// Planned: the master was healthy as far as the Sentinels say (SENTINEL FAILOVER).
	Planned = "planned"
	// Unplanned: a quorum of Sentinels had found the master down.
	Unplanned = "unplanned"
	// Announced: only the result was seen, another master.
	Announced = "announced"
)

// Kinds lists every kind, so that each counter exists from the start.
var Kinds = []string{Planned, Unplanned, Announced}

// Switch is one change of master that the control plane followed.
type Switch struct {
	// At is when the new master was published.
	At         time.Time `json:"at"`
	From       string    `json:"from"`
	To         string    `json:"to"`
	Epoch      uint64    `json:"epoch"`
	Generation uint64    `json:"generation"`
	// Kind is Planned, Unplanned or Announced.
	Kind string `json:"kind"`
	// HeldMS is how long commands had been held, 0 if they were not.
	HeldMS int64 `json:"held_ms"`
	// Phases are the steps that were seen on the way, oldest first, at most 24.
	Phases []Step `json:"phases"`
}

// Outage is one time in which the data path held commands.
type Outage struct {
	Began time.Time
	// Resumed is when commands flowed again, Drained when all that had waited were dealt
	// with. Zero: not yet.
	Resumed, Drained time.Time
	// Reason is why it began.
	Reason string
	// From and To are the masters before and after; To is From as long as there is no other.
	From, To                     string
	FromGeneration, ToGeneration uint64
	Epoch                        uint64
	Commands                     HeldCommands
	Steps                        []Step
}

// HeldCommands says what became of the commands of one outage.
type HeldCommands struct {
	// Held = Released + Refused + Dropped + those that still wait. Released were sent to a
	// master, Refused answered with an error, Dropped not run since their client had gone.
	Held     uint64 `json:"held"`
	Released uint64 `json:"released"`
	Refused  uint64 `json:"refused"`
	Dropped  uint64 `json:"dropped"`
	// Most is how many waited at one time, MostBytes their bytes.
	Most      int   `json:"most"`
	MostBytes int64 `json:"most_bytes"`
	// LongestWaitMS is how long the one that waited longest did, of those that wait no more.
	LongestWaitMS int64 `json:"longest_wait_ms"`
	// InDoubt counts the writes that were sent and lost their reply, from up to 2 s before
	// the outage on, for the connections end first.
	InDoubt uint64 `json:"in_doubt"`
}

// What a Failover came to.
const (
	UnderWay   = "under_way"
	Switched   = "switched"
	SameMaster = "same_master"
)

// Failover is an Outage with what the control plane knows of the change of master in it:
// one row of the list that operators see.
type Failover struct {
	Began time.Time `json:"began"`
	// Resumed is when commands flowed again, Drained when all that had waited were dealt
	// with; absent: not yet.
	Resumed time.Time `json:"resumed,omitzero"`
	Drained time.Time `json:"drained,omitzero"`
	// Outcome is UnderWay, Switched or SameMaster, Kind that of the change of master,
	// empty if there was none.
	Outcome string `json:"outcome"`
	Kind    string `json:"kind,omitempty"`
	Reason  string `json:"reason"`
	From    string `json:"from"`
	To      string `json:"to"`
	// Epoch and Generation are those of To.
	Epoch      uint64       `json:"epoch"`
	Generation uint64       `json:"generation"`
	Commands   HeldCommands `json:"commands"`
	// Timeline has the steps that either side noted, oldest first.
	Timeline []Step `json:"timeline"`
}

// Failovers joins what both sides have noted, newest first. An outage before the first
// master is none. Both lists are oldest first.
func Failovers(switches []Switch, outages []Outage) []Failover {
	all := make([]Failover, 0, len(outages))
	for _, o := range outages {
		if o.FromGeneration == 0 {
			continue
		}
		f := Failover{Began: o.Began, Resumed: o.Resumed, Drained: o.Drained, Reason: o.Reason, From: o.From, To: o.To,
			Epoch: o.Epoch, Generation: o.ToGeneration, Commands: o.Commands, Timeline: slices.Clone(o.Steps)}
		switch {
		case o.ToGeneration != o.FromGeneration:
			f.Outcome = Switched
		case o.Resumed.IsZero():
			f.Outcome = UnderWay
		default:
			f.Outcome = SameMaster
		}
		for _, s := range switches {
			if s.Generation > o.FromGeneration && s.Generation <= o.ToGeneration {
				f.Kind = s.Kind
				f.Timeline = append(f.Timeline, s.Phases...)
			}
		}
		slices.SortStableFunc(f.Timeline, func(a, b Step) int { return a.At.Compare(b.At) })
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b Failover) int { return cmp.Compare(b.Began.UnixNano(), a.Began.UnixNano()) })
	return all
}
