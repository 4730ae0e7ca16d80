package faults

import (
	"context"
	"time"

	"steadis/test/workload"
)

// fault is one way to break a deployment.
type fault struct {
	name string
	// short puts it among those that `make test` plays.
	short bool
	// often is how many times it is played for each 20 rounds that are asked for;
	// 0 means 20.
	often int
	// compared has it played with the plain client and HAProxy as well.
	compared bool
	// load is what the writers do; see pipelined and steady.
	load workload.Options
	// inject breaks something. It returns once that is done, which may be when the
	// fault is over already.
	inject func(context.Context, *stage) error
	// lasts is how long the broken state stays: after a switch, if the fault leads
	// to one, else after inject.
	lasts time.Duration
	// heal undoes what inject did. It also runs when the round has failed.
	heal func(context.Context, *stage) error
	// service says when everybody must be served again.
	service service
	// replaced says that in durable mode steadis has the master replaced, where it would stay.
	replaced bool
	// losses says what the default mode may lose; durable mode may lose nothing.
	losses losses
	// clean says that there must be no error at all, not even a write in doubt.
	clean bool
	// underWay says that commands under way outlive the fault on their connection:
	// nobody has told either end that it is broken. Their replies come when TCP
	// sends again, which after an outage takes at most as long as the outage took.
	// Everybody else must be served as service says.
	underWay bool
	// again says that Sentinel may replace the new master at once: then what counts is
	// when the last one is announced.
	again bool
	// drops says that clients' connections cannot survive it.
	drops bool
	// anyReplica says that Sentinel may promote a replica that has less than another one, so that
	// what one of two has confirmed can be lost. It is played with both to confirm as well.
	anyReplica bool
}

// plays gives how often the fault is played in a mode when so many rounds of every
// fault are asked for. Fewer than 20 are to find out whether all is well. Others than
// steadis' own modes are there to compare with, and lose in nearly every round: a
// quarter of the rounds shows it.
func (f fault) plays(m mode, rounds int) int {
	switch {
	case !m.judged:
		return (rounds + 3) / 4
	case f.often == 0 || rounds < 20:
		return rounds
	}
	return rounds * f.often / 20
}

// in gives the fault as it has to be in a mode.
func (f fault) in(m mode) fault {
	if f.replaced && m.durable {
		f.service = switched
	}
	return f
}

// service is what a fault may do to the time that clients wait.
type service int

const (
	// switched: there is a new master; full service within 1 s of a majority
	// announcing it.
	switched service = iota
	// restored: the same master serves on; full service within 1 s of heal.
	restored
	// throughout: nobody waits longer than 1 s.
	throughout
	// held: nobody waits longer than the hold time. For failovers that begin and
	// come to nothing without anybody saying so.
	held
)

// losses is which acknowledged writes may be missing in the end.
type losses int

const (
	// nothing may be lost.
	nothing losses = iota
	// unreplicated: what the old master acknowledged and had not replicated when
	// the fault struck; nothing that was sent after the switch.
	unreplicated
	// unwarned: what the old master acknowledged before the first Sentinel began
	// a failover.
	unwarned
	// counted: any, the figure is what the row is for.
	counted
)

// full is the bound for full service after a master is there.
const full = time.Second

// Two loads: at full speed, and one that leaves the machine time for the rest.
var (
	pipelined = workload.Options{Writers: 8, Depth: 50}
	steady    = workload.Options{Writers: 8, Depth: 4, Pause: 2 * time.Millisecond}
)

// faults gives every fault of the suite.
func faults() []fault {
	var all []fault
	for _, some := range [][]fault{masterFaults, failoverFaults, sentinelFaults, partitionFaults, linkFaults, steadisFaults} {
		all = append(all, some...)
	}
	for i := range all {
		if all[i].load.Writers == 0 {
			all[i].load = steady
		}
	}
	return all
}
