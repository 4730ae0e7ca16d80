package sentinel

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Check asks every configured Sentinel once, at the same time, lets the same core
// decide that Run uses, and asks the announced master for its ROLE. It takes a
// few timeouts at most, starts nothing that outlives it and changes nothing.
func Check(ctx context.Context, o Options) Report {
	r := Report{MasterName: o.Master}
	o, err := o.normalized()
	if err != nil {
		r.err = err
		return r
	}
	began := time.Now()
	s := newState(&o, began)
	inputs := make(chan input, 4*len(o.Addresses))
	var wg sync.WaitGroup
	for _, addr := range o.Addresses {
		wg.Go(func() { checkSentinel(ctx, &o, addr, inputs) })
	}
	wg.Wait()
	close(inputs)
	for in := range inputs {
		s.step(in, time.Now())
	}
	if a := s.asking; a != nil {
		r.Announced, r.Epoch = a.addr, a.epoch
		sent := time.Now()
		said, detail := askNode(ctx, &o, a.addr)
		r.Role, r.RoleDetail, r.RoleTook = said.String(), detail, time.Since(sent)
		s.step(roleSaid{id: a.id, role: said, detail: detail}, time.Now())
	}
	st := s.snapshot(time.Now())
	for i, at := range st.answered {
		st.status.Sentinels[i].LastAnswerAgeMS = -1
		if !at.IsZero() {
			st.status.Sentinels[i].LastAnswerAgeMS = time.Since(at).Milliseconds()
		}
	}
	for _, row := range st.status.Sentinels {
		if !row.Learned {
			r.Sentinels = append(r.Sentinels, row)
		}
	}
	r.Configured, r.Majority, r.View = st.status.Configured, st.status.Majority, st.status.View
	r.err = r.verdict()
	return r
}

// checkSentinel asks one Sentinel, and tries whether it lets us subscribe.
func checkSentinel(ctx context.Context, o *Options, addr string, inputs chan<- input) {
	a := newAsker(ctx, o, addr)
	defer a.close()
	ans, asked, err := a.ask(ctx)
	if err != nil {
		inputs <- failed{from: addr, why: plain(err)}
		return
	}
	trial, stop := context.WithCancel(ctx)
	defer stop()
	stands := false
	err = subscribe(trial, o, addr, func() { stands = true; stop() }, func(event) {})
	inputs <- answered{from: addr, asked: asked, runid: a.runid, answer: ans}
	if stands {
		inputs <- subscription{from: addr, on: true}
		return
	}
	inputs <- subscription{from: addr, forbidden: errors.Is(err, errForbidden), why: plain(err)}
}
