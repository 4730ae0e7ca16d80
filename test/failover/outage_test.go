package failover

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// refusedWith sends one command and wants LOADING, which it times.
func refusedWith(ctx context.Context, t *testing.T, c *wire.Conn, args ...string) time.Duration {
	t.Helper()
	began := time.Now()
	_, err := c.Do(ctx, args...)
	var refusal wire.Error
	if !errors.As(err, &refusal) || refusal.Prefix() != "LOADING" || !strings.Contains(refusal.Error(), "steadis") {
		t.Fatalf("%v: %v, want -LOADING steadis: ...", args, err)
	}
	return time.Since(began)
}

// P2, P10, P11: without a master a command waits for the hold time and no longer;
// after that everything is refused at once, and service resumes by itself.
func TestNoMasterForLongerThanTheHold(t *testing.T) {
	const hold = 2 * time.Second
	d := startDeployment(t, topology.Options{Replicas: -1})
	s := startSteadis(t, d.SentinelAddrs(), "--hold", "2s", "--in-doubt", "error")
	ctx := within(t, time.Minute)
	c := dial(ctx, t, s.Addr)
	if _, err := c.Do(ctx, "SET", "before", "1"); err != nil {
		t.Fatal(err)
	}
	must(t, d.Nodes[0].Kill())
	waited := refusedOnceSent(ctx, t, c)
	if waited < hold/2 || waited > hold+500*time.Millisecond {
		t.Errorf("the first command was refused after %v, want about %v", waited, hold)
	}
	if reply, err := c.Do(ctx, "PING"); err == nil {
		t.Errorf("PING says %v although the hold is over and there is no master", reply)
	}
	var worst time.Duration
	for i := range 50 {
		worst = max(worst, refusedWith(ctx, t, c, "GET", fmt.Sprint(i)), refusedWith(ctx, t, dial(ctx, t, s.Addr), "SET", "k", "v"))
	}
	if worst > 100*time.Millisecond {
		t.Errorf("LOADING took %v, want it at once", worst)
	}
	askRedisPy(ctx, t, s.Addr)

	must(t, d.Nodes[0].Restart(ctx))
	sentinel, resumed := awaitResumption(ctx, t, d, c)
	if resumed > time.Second {
		t.Errorf("service resumed %v after the master answered, want at most 1 s (a majority of Sentinels: %v)", resumed, sentinel)
	}
	if reply, err := c.Do(ctx, "PING"); err != nil || reply != "PONG" {
		t.Errorf("PING after the outage: %v, %v", reply, err)
	}
	checkHoldCounters(ctx, t, s)
	measured.record(t, "no master, hold 2 s: the first command is refused after", "about 2 s", "%s", millis(waited))
	measured.record(t, "no master, hold 2 s: later commands are refused within", "at once (100 ms)", "%s", millis(worst))
	measured.record(t, "a master is back: service resumes on the same connection", "1 s", "after %s", millis(resumed))
}

// awaitResumption waits until a command is served again. It gives how long after
// now a majority of Sentinels no longer found the master down (0 if service
// resumed before), and how long service took.
func awaitResumption(ctx context.Context, t *testing.T, d *topology.Deployment, c *wire.Conn) (sentinel, service time.Duration) {
	t.Helper()
	began := time.Now()
	poll(ctx, t, "service to resume", func() error {
		content := 0
		for _, s := range d.Sentinels {
			reply, err := s.Do(ctx, "SENTINEL", "MASTER", d.Name())
			if flags := wire.Pairs(reply)["flags"]; err == nil && !strings.Contains(flags, "down") {
				content++
			}
		}
		if sentinel == 0 && content*2 > len(d.Sentinels) {
			sentinel = time.Since(began)
		}
		_, err := c.Do(ctx, "SET", "after", "1")
		return err
	})
	return sentinel, time.Since(began)
}

// refusedOnceSent sends a write after a kill. A connection on which the command
// went out before steadis noticed would answer INDOUBT; then the next one counts.
func refusedOnceSent(ctx context.Context, t *testing.T, c *wire.Conn) time.Duration {
	t.Helper()
	began := time.Now()
	_, err := c.Do(ctx, "SET", "during", "1")
	var refusal wire.Error
	if errors.As(err, &refusal) && refusal.Prefix() == "INDOUBT" {
		return refusedWith(ctx, t, c, "SET", "during", "1")
	}
	if !errors.As(err, &refusal) || refusal.Prefix() != "LOADING" {
		t.Fatalf("got %v, want -LOADING", err)
	}
	return time.Since(began)
}

// redisPy is the interpreter for which the distribution packages redis-py.
const redisPy = "/usr/bin/python3"

// askRedisPy checks what the most used client library makes of the refusal.
func askRedisPy(ctx context.Context, t *testing.T, addr string) {
	t.Helper()
	host, port, _ := strings.Cut(addr, ":")
	script := fmt.Sprintf(`
import redis
try:
    print("answered", redis.Redis(host=%q, port=%s, socket_timeout=5).get("k"))
except redis.exceptions.ConnectionError as e:
    print("ConnectionError", redis.__version__, type(e).__name__, e)
`, host, port)
	out, err := exec.CommandContext(ctx, redisPy, "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("redis-py (the distribution's package python3-redis, see test/setup.sh): %v\n%s", err, out)
	}
	if !strings.HasPrefix(string(out), "ConnectionError ") {
		t.Errorf("redis-py: %s", out)
	}
	measured.record(t, "no master, hold over: redis-py", "raises a ConnectionError", "%s", strings.Fields(string(out))[:3])
}

// P7: a held write whose client has hung up never runs; one whose client stays does.
func TestHeldWriteOfAGoneClientNeverRuns(t *testing.T) {
	d := startDeployment(t, topology.Options{DownAfter: 2 * time.Second})
	s := startSteadis(t, d.SentinelAddrs(), "--in-doubt", "error")
	ctx := within(t, time.Minute)
	warm := dial(ctx, t, s.Addr)
	if _, err := warm.Do(ctx, "SET", "warm", "1"); err != nil {
		t.Fatal(err)
	}
	stays, leaves := dial(ctx, t, s.Addr), dial(ctx, t, s.Addr)
	must(t, d.Nodes[0].Kill())
	poll(ctx, t, "steadis to hold", func() error { return heldOrNot(ctx, t, s, warm) })

	before := metric(ctx, t, s, "steadis_hold_waiting")
	for _, c := range []*wire.Conn{stays, leaves} {
		c.Append("RPUSH", "list-of-"+c.LocalAddr(), "x")
		must(t, c.Flush())
	}
	poll(ctx, t, "both writes to be held", func() error {
		if n := metric(ctx, t, s, "steadis_hold_waiting"); n < before+2 {
			return fmt.Errorf("%v wait", n)
		}
		return nil
	})
	must(t, leaves.Close())
	poll(ctx, t, "the gone client's write to be dropped", func() error {
		if n := metric(ctx, t, s, "steadis_hold_dropped_total"); n < 1 {
			return fmt.Errorf("%v dropped", n)
		}
		return nil
	})
	must(t, stays.SetDeadline(time.Now().Add(20*time.Second)))
	if reply, err := stays.Receive(); err != nil || reply != int64(1) {
		t.Fatalf("the client that stayed got %v, %v", reply, err)
	}
	must(t, d.Mend(ctx))
	must(t, d.Demote(ctx))
	master, err := d.Master(ctx)
	must(t, err)
	for c, want := range map[*wire.Conn]int64{stays: 1, leaves: 0} {
		if n, err := master.Do(ctx, "LLEN", "list-of-"+c.LocalAddr()); err != nil || n != want {
			t.Errorf("list of %s has %v elements (%v), want %d", c.LocalAddr(), n, err, want)
		}
	}
	checkHoldCounters(ctx, t, s)
	measured.record(t, "held write whose client hung up", "never runs", "did not run; the other one did")
}

// heldOrNot is content once a read that was sent is on hold.
func heldOrNot(ctx context.Context, t *testing.T, s *topology.Steadis, c *wire.Conn) error {
	t.Helper()
	if metric(ctx, t, s, "steadis_hold_waiting") > 0 {
		return nil
	}
	c.Append("GET", "warm")
	if err := c.Flush(); err != nil {
		return err
	}
	return errors.New("nothing waits")
}
