package faults

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"steadis/test/harness"
)

// TestFaults plays the chosen faults in the chosen modes, each as often as asked,
// in an order that the seed decides.
func TestFaults(t *testing.T) {
	rounds, seed := harness.Number(t, "TEST_ROUNDS", 1), harness.Number(t, "TEST_SEED", 1)
	chosen := pattern(t, "TEST_FAULTS")
	chosenModes := pattern(t, "TEST_MODES")
	figures.Seed = seed
	mine := ourLane(t)
	for _, m := range modes() {
		if chosenModes == nil && !m.judged || chosenModes != nil && !chosenModes.MatchString(m.name) {
			continue
		}
		plays := mine.of(schedule(m, chosen, rounds, seed))
		if len(plays) > 0 {
			t.Run(m.name, func(t *testing.T) { playAll(t, m, plays, seed) })
		}
	}
}

// turn is one round of one fault.
type turn struct {
	fault fault
	round int
}

// schedule gives the rounds of a mode in their order.
func schedule(m mode, chosen *regexp.Regexp, rounds, seed int) []turn {
	var plays []turn
	for _, f := range faults() {
		if chosen == nil && !f.short || chosen != nil && !chosen.MatchString(f.name) || !m.judged && !f.compared || m.only != nil && !m.only(f) {
			continue
		}
		for round := range f.plays(m, rounds) {
			plays = append(plays, turn{f, round + 1})
		}
	}
	source(seed, "order").Shuffle(len(plays), func(i, j int) { plays[i], plays[j] = plays[j], plays[i] })
	return plays
}

// playAll plays the rounds of a mode on one deployment; after a round that failed
// on a new one.
func playAll(t *testing.T, m mode, plays []turn, seed int) {
	var st *stage
	defer func() {
		if st != nil {
			st.close(t)
		}
	}()
	for _, p := range plays {
		if st == nil {
			st = newStage(t, m)
		}
		o := outcome{served: -1}
		passed := t.Run(fmt.Sprintf("%s/%d", p.fault.name, p.round), func(t *testing.T) {
			st.playAndJudge(t, p, seed, &o)
		})
		figures.of(p.fault, m).add(&o, !passed)
		if err := figures.save(); err != nil { // now, in case that this process does not reach its end
			t.Error(err)
		}
		if !passed {
			st.close(t)
			st = nil
		}
	}
}

func newStage(t *testing.T, m mode) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	st, err := openStage(ctx, t, m)
	if err != nil {
		st.close(t)
		t.Fatal(err)
	}
	figures.Network = st.network.Kind()
	return st
}

func (st *stage) playAndJudge(t *testing.T, p turn, seed int, o *outcome) {
	from := st.logSizes()
	defer func() {
		st.showLogs(t, from)
		saveHistory(t, st, p, o)
	}()
	f := p.fault.in(st.mode)
	st.play(t, f, p.round, seed, o)
	t.Logf("%v; full service after %v, of a new client after %v; porcupine %q", o.audit, o.served, o.fresh, o.order)
	if !st.mode.judged {
		return
	}
	st.judge(t, f, o)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	st.checkHoldCounters(ctx, t)
}

// logSizes gives how long the logs of steadis and of the deployment's processes are.
func (st *stage) logSizes() map[string]int64 {
	sizes := map[string]int64{}
	for _, path := range st.logs() {
		if info, err := os.Stat(path); err == nil {
			sizes[path] = info.Size()
		}
	}
	return sizes
}

// logs gives where the logs are; steadis' comes first.
func (st *stage) logs() []string {
	var paths []string
	if st.steadis != nil {
		paths = append(paths, st.steadis.Log())
	}
	for _, n := range slices.Concat(st.d.Nodes, st.d.Sentinels) {
		paths = append(paths, n.Log())
	}
	return paths
}

// showLogs shows what was logged since the logs had the sizes from, if the round has
// failed.
func (st *stage) showLogs(t *testing.T, from map[string]int64) {
	if !t.Failed() {
		return
	}
	t.Logf("the load began at %v", st.loadBegan.UTC().Format("15:04:05.000"))
	for _, path := range st.logs() {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Log(err)
			continue
		}
		t.Logf("%s, this round:\n%s", path, body[min(from[path], int64(len(body))):])
	}
}
