package clients

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// stage is a deployment and a steadis in front of it.
type stage struct {
	d *topology.Deployment
	s *topology.Steadis
	// slowest is the longest time that a failover took until service.
	slowest time.Duration
}

// newStage starts a master, two replicas and three Sentinels with a down-after of 1 s, and
// steadis with the further arguments.
func newStage(t *testing.T, o topology.Options, args ...string) *stage {
	t.Helper()
	built.Path(t) // before the clock of what follows runs
	o.Dir = t.TempDir()
	d, err := topology.Start(within(t, time.Minute), o)
	must(t, err)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	st := &stage{d: d}
	st.s = st.sidecar(t, args...)
	return st
}

// sidecar starts a steadis in front of the deployment: beside the stage's own, as another Pod would have one.
func (st *stage) sidecar(t *testing.T, args ...string) *topology.Steadis {
	t.Helper()
	s, err := topology.RunSteadis(within(t, 30*time.Second), topology.SteadisOptions{
		Binary: built.Path(t),
		Args:   append([]string{"--sentinel", st.d.SentinelAddrs(), "--master", st.d.Name()}, args...),
		Dir:    t.TempDir(),
	})
	must(t, err)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		body, err := os.ReadFile(s.Log())
		if err != nil {
			t.Error(err)
		}
		// A hold that was too short for a failover explains every error, and needs an explanation itself.
		if t.Failed() || strings.Contains(string(body), holdOver) {
			t.Logf("steadis' log:\n%s", body)
		}
	})
	return s
}

// oneAttempt is longer than a failover takes if the first attempt succeeds. A promotion that Sentinel has given up leaves a
// second master behind, whose replication offset it may believe later.
const oneAttempt = 12 * time.Second

// holdOver is what steadis logs when there has been no master for longer than hold.
const holdOver = "the hold time is over"

// port is where clients connect.
func (st *stage) port() string { return portOf(st.s) }

func portOf(s *topology.Steadis) string {
	_, port, _ := net.SplitHostPort(s.Addr) // made by JoinHostPort
	return port
}

// env is what a program is told: all that it knows of Redis.
func (st *stage) env() []string { return envOf(st.s) }

func envOf(s *topology.Steadis) []string {
	return []string{"REDIS_URL=redis://localhost:" + portOf(s), "REDIS_PORT=" + portOf(s)}
}

// kind is a way in which a master goes.
type kind string

const (
	kill     kind = "kill -9"
	freeze   kind = "SIGSTOP"
	handOver kind = "SENTINEL FAILOVER"
)

var (
	crashes = []kind{kill, freeze}
	all     = []kind{kill, freeze, handOver}
)

// failOver takes the master away, waits until another one serves through steadis and brings back what
// was taken, and gives the time until it served.
func (st *stage) failOver(ctx context.Context, t *testing.T, k kind) time.Duration {
	t.Helper()
	old, err := st.d.Master(ctx)
	must(t, err)
	began := time.Now()
	switch k {
	case kill:
		err = old.Kill()
	case freeze:
		err = old.Freeze()
	default:
		err = st.d.Failover(ctx)
	}
	must(t, err)
	_, err = st.d.AwaitMajority(ctx, old.Addr())
	must(t, err)
	st.serves(ctx, t)
	took := time.Since(began)
	must(t, st.d.Mend(ctx))
	must(t, st.d.Demote(ctx))
	return took
}

// failOvers does that n times for each kind, each time once the deployment is whole again, and says what it took.
func (st *stage) failOvers(t *testing.T, n int, kinds ...kind) {
	t.Helper()
	for _, k := range kinds {
		var slowest time.Duration
		began := time.Now()
		for range n {
			at := time.Now()
			ctx := within(t, 4*time.Minute)
			must(t, st.d.AwaitSettled(ctx))
			slowest = max(slowest, st.failOver(ctx, t, k))
			if whole := time.Since(at); whole > 25*time.Second {
				t.Logf("%s: %s with the wait until the deployment was whole, from %s on", k, seconds(whole), at.UTC().Format(time.TimeOnly))
			}
		}
		st.slowest = max(st.slowest, slowest)
		t.Logf("%d x %s: the slowest took %.1f s until service; %.0f s in all", n, k, slowest.Seconds(), time.Since(began).Seconds())
	}
}

// serves waits until a command has run through steadis.
func (st *stage) serves(ctx context.Context, t *testing.T) {
	t.Helper()
	c, err := wire.Dial(ctx, st.s.Addr)
	must(t, err)
	defer c.Close()
	for {
		_, err := c.Do(ctx, "SET", "stage:probe", "served")
		if err == nil || strings.HasPrefix(err.Error(), "UNCONFIRMED") {
			return // it ran; replicas may take long to follow
		}
		if !strings.HasPrefix(err.Error(), "LOADING") {
			t.Fatal(err)
		}
		select { // Sentinel needs longer than hold: see late
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// late says, if it is so, that there was no master for longer than hold, or that the Sentinels needed more than one attempt: on a
// starved machine their elections and promotions may fail again and again. What the applications saw then is recorded, and
// not held against them.
func (st *stage) late(t *testing.T) string {
	t.Helper()
	body, err := os.ReadFile(st.s.Log())
	must(t, err)
	if n := strings.Count(string(body), holdOver); n > 0 {
		return fmt.Sprintf(" (Sentinel named no master for longer than `hold`, %d times)", n)
	}
	if st.slowest > oneAttempt {
		return fmt.Sprintf(" (a failover took Sentinel %s)", seconds(st.slowest))
	}
	return ""
}

// inDoubt is how many writes nobody knows the fate of, by steadis' count.
func (st *stage) inDoubt(t *testing.T) int { return inDoubtAt(t, st.s) }

func inDoubtAt(t *testing.T, s *topology.Steadis) int {
	t.Helper()
	samples, err := s.Metrics(within(t, 10*time.Second))
	must(t, err)
	return int(topology.Sum(samples, "steadis_in_doubt_total"))
}

// list reads a list at the master itself.
func (st *stage) list(t *testing.T, key string) []string {
	t.Helper()
	ctx := within(t, 10*time.Second)
	master, err := st.d.Master(ctx)
	must(t, err)
	reply, err := master.Do(ctx, "LRANGE", key, "0", "-1")
	must(t, err)
	return wire.Strings(reply)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
