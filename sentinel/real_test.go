package sentinel

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"steadis/sentinel/topology"
)

// deployment is 1 master, 2 replicas and 3 Sentinels, real processes on loopback.
type deployment struct {
	t         *testing.T
	dir       string
	nodes     []int // ports
	sentinels []int
	processes map[int]*exec.Cmd
}

// startDeployment fails the test if Redis is not installed.
func startDeployment(t *testing.T) *deployment {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is not installed; test/setup.sh installs it")
	}
	d := &deployment{t: t, dir: t.TempDir(), processes: map[int]*exec.Cmd{}}
	t.Cleanup(d.stop)
	ports := freePorts(t, 6)
	d.nodes, d.sentinels = ports[:3], ports[3:]
	for i := range d.nodes {
		d.startNode(i)
	}
	for i, port := range d.sentinels {
		conf := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor mymaster 127.0.0.1 %d 2\n"+
			"sentinel down-after-milliseconds mymaster 1000\nsentinel failover-timeout mymaster 5000\n", port, d.dir, d.nodes[0])
		path := filepath.Join(d.dir, fmt.Sprintf("sentinel-%d.conf", i))
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		d.start(port, "redis-server", path, "--sentinel") // Sentinel's own program is in another package
	}
	d.await("3 Sentinels that know each other and 2 replicas", func() bool {
		for _, port := range d.sentinels {
			f, err := d.client(port).Master(t.Context(), "mymaster").Result()
			if err != nil || f["num-slaves"] != "2" || f["num-other-sentinels"] != "2" {
				return false
			}
		}
		return true
	})
	return d
}

// freePorts asks the kernel for ports and gives them back: all at once, so that
// they differ.
func freePorts(t *testing.T, n int) []int {
	var ports []int
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (d *deployment) startNode(i int) {
	args := []string{"--port", strconv.Itoa(d.nodes[i]), "--bind", "127.0.0.1", "--dir", d.dir, "--save", "", "--appendonly", "no",
		"--repl-diskless-sync-delay", "0", "--replica-priority", strconv.Itoa(100)}
	if i > 0 {
		args = append(args, "--replicaof", "127.0.0.1", strconv.Itoa(d.nodes[0]))
	}
	d.start(d.nodes[i], "redis-server", args...)
}

func (d *deployment) start(port int, name string, args ...string) {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.processes[port] = cmd
}

func (d *deployment) kill(port int) {
	cmd := d.processes[port]
	delete(d.processes, port)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func (d *deployment) stop() {
	for port := range d.processes {
		d.kill(port)
	}
}

func (d *deployment) client(port int) *redis.SentinelClient {
	o := Options{Timeout: time.Second, Dial: (&net.Dialer{}).DialContext}
	c := redis.NewSentinelClient(sentinelOptions(d.t.Context(), &o, "127.0.0.1:"+strconv.Itoa(port)))
	d.t.Cleanup(func() { c.Close() })
	return c
}

// await asks every 20 ms.
func (d *deployment) await(what string, ok func() bool) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
	defer cancel()
	for !ok() {
		sleep(ctx, 20*time.Millisecond)
		if ctx.Err() != nil {
			d.t.Fatal("no ", what)
		}
	}
}

// observer notes when the Sentinels published what, independently of the Watcher.
type eventLog struct {
	mu sync.Mutex
	at map[string][]time.Time // by event, one entry per Sentinel
}

// observe subscribes to every Sentinel; it returns once all subscriptions stand.
func (d *deployment) observe() *eventLog {
	l := &eventLog{at: map[string][]time.Time{}}
	for _, port := range d.sentinels {
		sub := d.client(port).PSubscribe(d.t.Context(), "*")
		if _, err := sub.Receive(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				m, err := sub.ReceiveMessage(d.t.Context())
				if err != nil {
					return
				}
				l.mu.Lock()
				l.at[m.Channel] = append(l.at[m.Channel], time.Now())
				l.mu.Unlock()
			}
		})
		d.t.Cleanup(func() { sub.Close(); wg.Wait() })
	}
	return l
}

func (l *eventLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = map[string][]time.Time{}
}

func (l *eventLog) nth(event string, n int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.at[event]) < n {
		return time.Time{}
	}
	return l.at[event][n-1]
}

// timed is a view and when it was seen.
type timed struct {
	topology.View
	at time.Time
}

// awaitPhase waits for a view of a phase and generation.
func awaitPhase(t *testing.T, b *topology.Board, p topology.Phase, generation uint64) timed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for v := b.Load(); ; {
		if v.Phase == p && v.Generation == generation {
			return timed{*v, time.Now()}
		}
		var err error
		if v, err = b.Await(ctx, v); err != nil {
			t.Fatalf("no %s of generation %d; now %+v", p, generation, *b.Load())
		}
	}
}

// TestRealFailovers follows real Sentinels through a forced failover and a kill.
func TestRealFailovers(t *testing.T) {
	d := startDeployment(t)
	o := Options{Master: "mymaster", Log: zaptest.NewLogger(t, zaptest.Level(zap.InfoLevel))}
	for _, port := range d.sentinels {
		o.Addresses = append(o.Addresses, "127.0.0.1:"+strconv.Itoa(port))
	}
	if r := Check(t.Context(), o); r.Err() != nil || r.Role != "master" || !r.Sentinels[0].Subscribed {
		t.Errorf("check: %v %+v", r.Err(), r)
	}
	board := topology.NewBoard()
	w, err := New(o, board)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	events := d.observe()
	first := awaitPhase(t, board, topology.Serving, 1)
	for !w.Status().Sentinels[0].Subscribed || !w.Status().Sentinels[1].Subscribed || !w.Status().Sentinels[2].Subscribed {
		sleep(ctx, 5*time.Millisecond)
	}

	// Until a Sentinel has had an INFO of the replicas it finds none good enough.
	d.await("a failover that is accepted", func() bool {
		return d.client(d.sentinels[1]).Failover(t.Context(), "mymaster").Err() == nil
	})
	forced := d.follow(board, events, 1)
	if forced.Master == first.Master {
		t.Error("still the old master")
	}
	// Until the leader is done with it and the old master is a replica again.
	d.await("end of the failover", func() bool {
		f, err := d.client(d.sentinels[1]).Master(t.Context(), "mymaster").Result()
		return err == nil && f["flags"] == "master" && f["num-slaves"] == "2" && !events.nth("+convert-to-slave", 1).IsZero()
	})
	if v := board.Load(); v.Generation != 2 || v.Phase != topology.Serving {
		t.Errorf("%+v", v)
	}

	events.clear()
	_, port, _ := net.SplitHostPort(forced.Master)
	n, _ := strconv.Atoi(port)
	d.kill(n)
	killed := d.follow(board, events, 2)
	if killed.Master == forced.Master || killed.Epoch <= forced.Epoch {
		t.Errorf("%+v after %+v", killed, forced)
	}
	for _, s := range w.Status().Switches {
		var steps []string
		for _, p := range s.Phases {
			steps = append(steps, fmt.Sprintf("%d %s", p.At.Sub(s.At).Milliseconds(), p.Name))
		}
		t.Logf("%s -> %s held %d ms: %s", s.From, s.To, s.HeldMS, strings.Join(steps, ", "))
	}
}

// follow checks one failover of the given generation against the Sentinels' own
// events: hold within 50 ms of +try-failover, switch within 100 ms of the moment
// from which two of three announce the new master.
func (d *deployment) follow(board *topology.Board, events *eventLog, generation uint64) timed {
	d.t.Helper()
	held := awaitPhase(d.t, board, topology.Holding, generation)
	served := awaitPhase(d.t, board, topology.Serving, generation+1)
	// The leader announces at +promoted-slave, the others at their +switch-master:
	// with the first of these there are two.
	d.await("events", func() bool {
		return !events.nth("+try-failover", 1).IsZero() && !events.nth("+switch-master", 1).IsZero()
	})
	hold, move := held.at.Sub(events.nth("+try-failover", 1)), served.at.Sub(events.nth("+switch-master", 1))
	d.t.Logf("hold %s after +try-failover (%s), switch %s after the second announcement", hold, held.Reason, move)
	if hold > 50*time.Millisecond || move > 100*time.Millisecond {
		d.t.Error("too late")
	}
	return served
}
