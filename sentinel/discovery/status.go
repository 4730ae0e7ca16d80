package discovery

import (
	"slices"
	"time"

	"steadis/sentinel"
	"steadis/sentinel/topology"
)

// Status is what the discovery knows, for /api/status. It is a copy.
type Status struct {
	// Endpoint is where the master is looked for, Resolves whether that is a name.
	Endpoint []string `json:"endpoint"`
	Resolves bool     `json:"resolves"`
	// Record is what it stands for, since when; Error why it could not be resolved now.
	Record      []string  `json:"record"`
	RecordSince time.Time `json:"record_since"`
	Error       string    `json:"error,omitempty"`
	// View is the decision that the data path works by.
	View sentinel.ViewStatus `json:"view"`
	// Holds counts the holds since the start.
	Holds uint64 `json:"holds"`
	// Nodes has one row for each node that is asked.
	Nodes []NodeStatus `json:"nodes"`
	// Switches are the last changes of master, oldest first, at most 16.
	Switches []topology.Switch `json:"switches"`
}

// NodeStatus is what one node last said.
type NodeStatus struct {
	Address string `json:"address"`
	// Role is master, replica, cannot say or no answer; empty if it was not asked yet.
	// Detail says why, or how it is known.
	Role   string `json:"role"`
	Detail string `json:"detail,omitempty"`
	// Deposed: it was the master and has not been seen as a replica since.
	Deposed bool `json:"deposed,omitempty"`
	// At is when it was last asked with success or not.
	At time.Time `json:"at"`
}

// shoot replaces the status by one of the present state.
func (w *Watcher) shoot() {
	st := w.state.status()
	st.Endpoint, st.Resolves = w.o.Addresses, w.o.Resolves
	w.status.Store(&st)
}

// Status gives what is known now. It may be called concurrently and never blocks. It
// must not be changed.
func (w *Watcher) Status() Status { return *w.status.Load() }

// status makes a Status of the state.
func (s *state) status() Status {
	v := s.view
	st := Status{Record: slices.Clone(s.record), RecordSince: s.recordSince, Error: s.whyNot, Holds: s.holds,
		View: sentinel.ViewStatus{Master: v.Master, Epoch: v.Epoch, Generation: v.Generation, Phase: v.Phase.String(),
			Since: v.Since, Reason: v.Reason},
		Nodes: []NodeStatus{}, Switches: append([]topology.Switch{}, s.switches...)}
	for _, addr := range s.addresses() {
		m := s.nodes[addr]
		st.Nodes = append(st.Nodes, NodeStatus{Address: addr, Role: m.said.Role.String(), Detail: m.said.Detail,
			Deposed: m.deposed && !m.demoted, At: m.at})
	}
	return st
}
