package discovery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"steadis/sentinel/node"
	"steadis/sentinel/topology"
)

// ErrNoMaster says that the endpoint leads to no master that serve would follow.
var ErrNoMaster = errors.New("the endpoint leads to no master")

// Report is what Check found.
type Report struct {
	Status
	// Took is how long the name took to resolve; 0 for nodes.
	Took time.Duration `json:"resolve_took_ns,omitempty"`

	err error
}

// Err is nil if serve would work now; else it says why not and what to do.
func (r Report) Err() error { return r.err }

// Check resolves the endpoint once, asks every node that it leads to, at the same
// time, and lets the same core decide that Run uses. It takes a few timeouts at most,
// starts nothing that outlives it and changes nothing.
func Check(ctx context.Context, o Options) Report {
	o, err := o.normalized()
	if err != nil {
		return Report{err: err}
	}
	var r Report
	s := newState(&o, time.Now())
	if o.Resolves {
		began := time.Now()
		record, err := resolveAll(ctx, &o)
		r.Took = time.Since(began)
		in := resolved{record: record}
		if err != nil {
			in.why = err.Error()
		}
		s.step(in, time.Now())
	} else {
		s.step(ticked{}, time.Now())
	}
	answers := make(chan said, len(s.record))
	var wg sync.WaitGroup
	for _, addr := range s.record {
		wg.Go(func() { answers <- askOnce(ctx, &o, addr) })
	}
	wg.Wait()
	close(answers)
	for in := range answers {
		s.step(in, time.Now())
	}
	r.Status = s.status()
	r.Endpoint, r.Resolves = o.Addresses, o.Resolves
	if s.view.Phase != topology.Serving {
		r.err = fmt.Errorf("%w: %s; %s", ErrNoMaster, s.view.Reason, s.remedy())
	}
	return r
}

func askOnce(ctx context.Context, o *Options, addr string) said {
	a := node.NewAsker(&o.Node, addr)
	defer a.Close()
	return said{addr, a.Ask(ctx)}
}

// remedy says what to do about there being no master.
func (s *state) remedy() string {
	if len(s.record) == 0 {
		return "check the name, and the name servers in dns.servers or of this machine"
	}
	for _, m := range s.nodes {
		switch m.said.Role {
		case node.CannotSay:
			return "set upstream.user and upstream.password to a user with +role or +info"
		case node.Silent:
			return "check the address, the network and upstream.password"
		}
	}
	return "give the address of the master, or of all nodes of one deployment"
}
