package failover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload"
	"steadis/test/workload/wire"
)

// matrixRow is one piece of what a client's session is made of, or one kind of
// command, and what a failover must leave of it. Its functions play on one stage; any
// of them may be nil. All rows go through each failover together.
type matrixRow struct {
	name  string
	proto int // 2 or 3; 0 is both, on two stages
	// before sets the state up. The rows do this one after the other.
	before func(*stage)
	// struck sends what shall get no answer: the master is frozen, but steadis does
	// not know it yet. In a planned failover nothing has happened yet.
	struck func(*stage)
	// held comes while commands are held.
	held func(*stage)
	// announced comes at the moment when a majority announces the new master.
	announced func(*stage)
	// after checks what has become of it all.
	after func(*stage)
	// veteran says that the stage lives through all rounds: before is played in the
	// first one only.
	veteran bool
}

// matrixRows is the whole matrix: section 7 of what was found out about Redis.
func matrixRows() []*matrixRow {
	var all []*matrixRow
	for _, rows := range [][]matrixRow{
		scriptRows, // first, because of SCRIPT FLUSH
		pubsubRows(), plainRows, connectionRows, clientRows, transactionRows, doubtRows,
		blockingRows(), streamRows, waitRows, trackingRows, scanRows(), veteranRows,
	} {
		for i := range rows {
			all = append(all, &rows[i])
		}
	}
	return all
}

// chosenRows are all rows, or with TEST_ROWS those whose names it matches.
func chosenRows(t *testing.T) []*matrixRow {
	t.Helper()
	chosen, err := regexp.Compile(os.Getenv("TEST_ROWS"))
	must(t, err)
	return slices.DeleteFunc(matrixRows(), func(r *matrixRow) bool { return !chosen.MatchString(r.name) })
}

// blow is a way in which a master goes, in steps.
type blow struct {
	name    string
	planned bool
	frozen  bool                       // it goes on where it was, after the switch
	strike  func(*topology.Node) error // from now on it answers nothing
	finish  func(context.Context, *topology.Deployment, *topology.Node) error
	revive  func(context.Context, *topology.Node) error // after the switch
}

func nothing(*topology.Node) error { return nil }

var blows = []blow{
	{
		name:   "kill -9",
		strike: (*topology.Node).Freeze,
		finish: func(_ context.Context, _ *topology.Deployment, old *topology.Node) error { return old.Kill() },
		revive: func(ctx context.Context, old *topology.Node) error { return old.Restart(ctx) },
	},
	{
		name:   "SIGSTOP",
		frozen: true,
		strike: (*topology.Node).Freeze,
		finish: func(context.Context, *topology.Deployment, *topology.Node) error { return nil },
		revive: func(_ context.Context, old *topology.Node) error { return old.Thaw() },
	},
	{
		name:    "SENTINEL FAILOVER",
		planned: true,
		strike:  nothing,
		finish:  func(ctx context.Context, d *topology.Deployment, _ *topology.Node) error { return d.Failover(ctx) },
		revive:  func(context.Context, *topology.Node) error { return nil },
	},
}

// matrixConfig is what every node must have, since neither is replicated.
var matrixConfig = []string{
	"user alice on >alicepw ~* &* +@all",
	"user bob on >bobpw ~bob:* &* +@all",
	"notify-keyspace-events KEA",
}

// TestMatrix plays all rows through each kind of failover.
func TestMatrix(t *testing.T) {
	for _, b := range blows {
		t.Run(b.name, func(t *testing.T) {
			m := &matrix{blow: b, rows: chosenRows(t), rounds: rounds(t), failed: map[string]int{}}
			m.deployment = startDeployment(t, topology.Options{NodeConfig: matrixConfig})
			m.idle = startDeployment(t, topology.Options{Replicas: -1, Sentinels: -1}).Nodes[0]
			fillForScans(t, m.deployment)
			m.steadis = startSteadis(t, m.deployment.SentinelAddrs(), "--in-doubt", "error")
			for i := range m.rounds {
				m.play(t, i+1)
			}
			m.record(t)
		})
	}
}

// matrix is all rounds with one kind of failover.
type matrix struct {
	blow
	deployment *topology.Deployment
	steadis    *topology.Steadis
	idle       *topology.Node // a Redis that has nothing to do: the control for what must be quick
	rows       []*matrixRow
	rounds     int
	veterans   []*stage

	played int            // rows, in all rounds
	failed map[string]int // how often a row has
}

func (m *matrix) record(t *testing.T) {
	t.Helper()
	failures := 0
	var which []string
	for _, name := range slices.Sorted(maps.Keys(m.failed)) {
		failures += m.failed[name]
		which = append(which, fmt.Sprintf("%s (%d x)", name, m.failed[name]))
	}
	text := fmt.Sprintf("%d rows, %d passed, %d failed", m.played, m.played-failures, failures)
	if which != nil {
		text += ": " + strings.Join(which, "; ")
	}
	measured.record(t, fmt.Sprintf("session matrix, %s, %d rounds of %d rows", m.name, m.rounds, m.played/m.rounds), "all pass", "%s", text)
}

// play plays one round: one failover, with all rows.
func (m *matrix) play(t *testing.T, round int) {
	t.Helper()
	ctx := within(t, 2*time.Minute)
	sc := m.scene(ctx, t, round)
	control := workload.StartPinger(ctx, m.idle.Addr(), 10*time.Millisecond)
	defer control.Stop()
	before, err := m.steadis.Metrics(ctx)
	must(t, err)
	stages := m.openStages(t, sc)
	for _, st := range stages {
		if !st.row.veteran || round == 1 {
			st.play(st.row.before)
		}
	}
	awaitReplicas(ctx, t, m.deployment, sc.old)
	began := time.Now()
	announced := m.failOver(ctx, t, sc, stages)
	doubts := inDoubt(stages)
	t.Logf("round %d: %d rows, %d commands in doubt; Sentinel took %v, the rows were done after %v",
		round, len(stages), doubts, millis(announced.Sub(began)), millis(time.Since(began)))
	m.closeStages(t, stages, slowest(control.Stop()))
	m.checkCounters(ctx, t, before, doubts)
}

// scene prepares a round: everybody is back, and all agree.
func (m *matrix) scene(ctx context.Context, t *testing.T, round int) *scene {
	t.Helper()
	d := m.deployment
	must(t, d.Mend(ctx)) // after the round before
	must(t, d.Demote(ctx))
	must(t, d.AwaitSettled(ctx))
	old, err := d.Master(ctx)
	must(t, err)
	sc := &scene{ctx: ctx, round: round, last: round == m.rounds, planned: m.planned, frozen: m.frozen, steadis: m.steadis, old: old,
		announced: make(chan struct{}), revived: make(chan struct{})}
	sc.master.Store(old)
	return sc
}

// failOver replaces the master and returns when another one was announced, once all
// rows have played.
func (m *matrix) failOver(ctx context.Context, t *testing.T, sc *scene, stages []*stage) time.Time {
	t.Helper()
	watched := watchSwitch(ctx, m.deployment, sc.old.Addr())
	must(t, m.strike(sc.old))
	for _, st := range stages {
		st.play(st.row.struck)
	}
	must(t, m.finish(ctx, m.deployment, sc.old))
	awaitHold(ctx, t, m.steadis)
	sc.heldAt = time.Now()
	var playing sync.WaitGroup
	for _, st := range stages {
		playing.Add(1)
		go st.playOn(&playing)
	}
	defer playing.Wait()
	outcome := <-watched
	if outcome.err == nil {
		sc.master.Store(m.deployment.NodeAt(outcome.Addr))
	}
	sc.announcedAt = outcome.At
	close(sc.announced)     // even if nobody is: the rows wait for it
	defer close(sc.revived) // so too
	must(t, outcome.err)
	awaitSwitch(ctx, t, m.steadis, sc.master.Load())
	must(t, m.revive(ctx, sc.old))
	return outcome.At
}

// slowest is the longest time that a PING took.
func slowest(pings []workload.Ping) time.Duration {
	longest := time.Duration(0)
	for _, p := range pings {
		longest = max(longest, p.Took)
	}
	return longest
}

// switched is what watchSwitch found out.
type switched struct {
	topology.Switch
	err error
}

// watchSwitch is watchMajority that also tells which master is announced.
func watchSwitch(ctx context.Context, d *topology.Deployment, not string) <-chan switched {
	out := make(chan switched, 1)
	go func() {
		sw, err := d.AwaitMajority(ctx, not)
		out <- switched{sw, err}
	}()
	return out
}

// openStages makes the stages of all rows; veterans have theirs from the first round.
func (m *matrix) openStages(t *testing.T, sc *scene) []*stage {
	t.Helper()
	stages := slices.Clone(m.veterans)
	for _, st := range stages {
		st.scene = sc
	}
	for _, r := range m.rows {
		if r.veteran && sc.round > 1 {
			continue
		}
		protos := []int{2, 3}
		if r.proto != 0 {
			protos = []int{r.proto}
		}
		for _, proto := range protos {
			st := newStage(sc, r, proto)
			stages = append(stages, st)
			if r.veteran {
				m.veterans = append(m.veterans, st)
				t.Cleanup(st.close)
			}
		}
	}
	return stages
}

// closeStages hangs up and reports. control is how slow the machine itself was.
func (m *matrix) closeStages(t *testing.T, stages []*stage, control time.Duration) {
	t.Helper()
	for _, st := range stages {
		if !st.row.veteran {
			st.close()
		}
		for _, slow := range st.slow {
			if bound := atOnce + 2*control; slow.took > bound { // steadis has hundreds of clients, the control has one
				st.faults = append(st.faults, fmt.Sprintf("%s took %v, want %v at most", slow.what, millis(slow.took), bound))
			}
		}
		m.played++
		if len(st.faults) > 0 {
			m.failed[st.name()]++
		}
		for _, fault := range st.faults {
			t.Errorf("round %d: %s: %s", st.scene.round, st.name(), fault)
		}
		st.faults, st.slow = nil, nil
	}
}

// awaitReplicas waits until all replicas have what the rows have written: what is lost
// with a killed master was not replicated, and that is not what is looked at here.
func awaitReplicas(ctx context.Context, t *testing.T, d *topology.Deployment, master *topology.Node) {
	t.Helper()
	c, err := master.Dial(ctx)
	must(t, err)
	defer c.Close()
	_, err = c.Do(ctx, "SET", "replicated", "1")
	must(t, err)
	n, err := c.Do(ctx, "WAIT", fmt.Sprint(len(d.Nodes)-1), "10000")
	must(t, err)
	if n != int64(len(d.Nodes)-1) {
		t.Fatalf("%v of %d replicas are in sync", n, len(d.Nodes)-1)
	}
}

// awaitHold waits until steadis holds commands.
func awaitHold(ctx context.Context, t *testing.T, s *topology.Steadis) {
	t.Helper()
	poll(ctx, t, "steadis to hold", func() error {
		m, err := s.Metrics(ctx)
		if err == nil && m[`steadis_phase{phase="holding"}`] != 1 {
			err = fmt.Errorf("it serves")
		}
		return err
	})
}

// awaitSwitch waits until steadis serves from a master. Only then the former one comes
// back: what was in flight there would be answered by it, and those writes lost.
func awaitSwitch(ctx context.Context, t *testing.T, s *topology.Steadis, master *topology.Node) {
	t.Helper()
	poll(ctx, t, "steadis to switch", func() error {
		_, body, err := s.Status(ctx, "/readyz")
		if err == nil && !strings.Contains(body, "serving: master "+master.Addr()) {
			err = errors.New(body)
		}
		return err
	})
}

// inDoubt counts the commands of which clients were told INDOUBT.
func inDoubt(stages []*stage) int {
	n := 0
	for _, st := range stages {
		for _, c := range st.clients {
			n += c.indoubt()
		}
	}
	return n
}

// checkCounters checks that steadis has counted what the rows have seen.
func (m *matrix) checkCounters(ctx context.Context, t *testing.T, before map[string]float64, doubts int) {
	t.Helper()
	checkHoldCounters(ctx, t, m.steadis)
	after, err := m.steadis.Metrics(ctx)
	must(t, err)
	grown := func(name string) int { return int(topology.Sum(after, name) - topology.Sum(before, name)) }
	if n := grown("steadis_in_doubt_total"); n != doubts {
		t.Errorf("steadis has counted %d commands in doubt, the clients were told of %d", n, doubts)
	}
	if len(m.rows) < len(matrixRows()) {
		return // what follows takes them all
	}
	if doubts == 0 && !m.planned {
		t.Error("no command was in doubt: nothing is proved about those that are")
	}
	if grown("steadis_resubscribed_total") == 0 {
		t.Error("steadis_resubscribed_total has not grown although there were subscribers")
	}
}

// fillForScans gives the deployment what the scans go through.
func fillForScans(t *testing.T, d *topology.Deployment) {
	t.Helper()
	ctx := within(t, time.Minute)
	c, err := d.Nodes[0].Dial(ctx)
	must(t, err)
	defer c.Close()
	n := fillCommands(c)
	must(t, c.Flush())
	for range n {
		reply, err := c.Receive()
		must(t, err)
		if refusal, refused := reply.(wire.Error); refused {
			t.Fatal(refusal)
		}
	}
}
