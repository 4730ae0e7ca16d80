package clients

import (
	"testing"
	"time"

	"steadis/test/topology"
)

// longOutage is longer than what go-redis, rueidis and redis-rb wait by themselves, and shorter than hold.
const longOutage = 24 * time.Second

// The only master is frozen for that long, and goes on as if nothing had been. With its own time-outs a library may give
// up; with those that config/deploy/clients.md says it may not.
func TestLongOutage(t *testing.T) {
	onlyFigures(t)
	for _, c := range []struct {
		name string
		env  []string
	}{{"own time-outs", nil}, {"time-outs of 40 s", []string{"TIMEOUT=40"}}} {
		t.Run(c.name, func(t *testing.T) {
			st := newStage(t, topology.Options{Replicas: -1})
			freeze := func() {
				must(t, st.d.Nodes[0].Freeze())
				<-time.After(longOutage) // this long the master is frozen: nothing is waited for
				must(t, st.d.Nodes[0].Thaw())
				st.serves(within(t, time.Minute), t)
			}
			for name, reports := range useAll(t, st, freeze, c.env...) {
				s := sumUp(reports)
				recorded.row(t, name, "24 s without a master, "+c.name, "%v", s)
				for _, r := range reports {
					if name == "go-redis" && r.Act == "blocking" {
						continue // it waits for a blocking command 10 s more than that, whatever it is told; what was popped then is gone
					}
					if len(r.Wrong) > 0 || r.Lost > 0 || r.Doubled > 0 || c.env != nil && r.errors() > 0 {
						t.Errorf("%s, %s: told %v, %d lost, %d doubled: %v; %v", name, r.Act, r.Told, r.Lost, r.Doubled, r.Wrong, r.Figures)
					}
				}
			}
		})
	}
}
