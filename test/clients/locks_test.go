package clients

import (
	"testing"
	"time"

	"steadis/test/topology"
)

// What applications build on Redis' promises: a lock (SET NX PX, released by a script), a counter with WATCH,
// a consumer group. In durable mode nothing of it may break. With the defaults a kill -9 may take
// acknowledged writes with it, a lock among them, as it may without a proxy: that is counted.
func TestLocks(t *testing.T) {
	onlyFigures(t)
	needPython(t, "redis")
	for _, mode := range []struct {
		name    string
		args    []string
		durable bool
	}{{"default", nil, false}, {"durable", []string{"--durable-replicas", "1"}, true}} {
		t.Run(mode.name, func(t *testing.T) {
			st := newStage(t, topology.Options{}, mode.args...)
			p := start(t, "use.py", here(t), st.env(), python, "use.py", "python", "locks", "watch", "stream")
			p.awaitReady(t)
			st.failOvers(t, rounds(t), all...)
			late := st.late(t)
			reports := p.finish(t, time.Minute)
			for _, line := range p.said("the counter is") {
				t.Log(line)
			}
			for _, r := range reports {
				f := r.Figures
				switch r.Act {
				case "locks":
					recorded.row(t, "a lock, 4 workers, "+mode.name, eachKind(t)+late, "taken %d times, %d times by two at once; %d errors", f["taken"], f["held by two"], r.errors())
				case "watch":
					recorded.row(t, "a WATCH counter, 3 threads, "+mode.name, eachKind(t)+late, "%d counted, %d lost, %d too many; %d errors", f["counted"], r.Lost, r.Doubled, r.errors())
				default:
					recorded.row(t, "a stream's consumer group, 2 consumers, "+mode.name, eachKind(t)+late, "%d entries, %d lost, %d doubled, %d read again; %d errors", r.Sent, r.Lost, r.Doubled, f["read again"], r.errors())
				}
				// redis-py repeats a WATCH transaction whose connection was closed: one in doubt may run twice.
				twice := r.Doubled
				if r.Act == "watch" {
					twice = max(0, twice-st.inDoubt(t))
				}
				if len(r.Wrong) > 0 || mode.durable && (f["held by two"] > 0 || r.Lost > 0 || twice > 0) {
					t.Errorf("%s: %d lost, %d doubled, %v, %v", r.Act, r.Lost, r.Doubled, f, r.Wrong)
				}
			}
		})
	}
}
