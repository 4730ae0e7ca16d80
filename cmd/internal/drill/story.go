package drill

import (
	"cmp"
	"slices"
)

// told is one line of a round's table of events.
type told struct {
	AtMS      float64
	Who, What string
}

// Story gives everything that happened in a round in order: what the drill did, what
// the Sentinels said, what steadis did.
func (r *Round) Story() []told {
	var list []told
	if r.TriggeredAt != nil {
		list = append(list, told{0, "drill", "master " + goes[r.Kind] + ": told " + r.TriggeredBy})
	}
	if r.SwitchedMS != nil {
		list = append(list, told{*r.SwitchedMS, "drill", "more than half of the Sentinels announce " + r.NewMaster})
	}
	if r.BackMS != nil {
		list = append(list, told{*r.BackMS, "clients", "writes are acknowledged again"})
	}
	if r.ThawedMS != nil {
		list = append(list, told{*r.ThawedMS, "drill", "the old master answers again"})
	}
	for _, e := range r.Events {
		list = append(list, told{e.AtMS, "Sentinel " + e.Sentinel, e.Name + " " + e.Text})
	}
	for _, p := range r.Phases {
		what := p.Phase
		if p.Master != "" && p.Phase == "serving" {
			what += " from " + p.Master
		} else if p.Reason != "" {
			what += ": " + p.Reason
		}
		list = append(list, told{p.FromMS, "steadis", what})
	}
	slices.SortStableFunc(list, func(a, b told) int { return cmp.Compare(a.AtMS, b.AtMS) })
	return list
}
