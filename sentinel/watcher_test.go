package sentinel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"steadis/sentinel/topology"
	"steadis/test/fake"
)

// bench is a Watcher on fakes, inside a bubble: nodes A B C (10.0.0.1 to 3) and
// Sentinels S0 S1 S2 that announce A with epoch 0.
type bench struct {
	t         *testing.T
	network   *fake.Network
	nodes     []*fake.Redis
	sentinels []*fake.Sentinel
	board     *topology.Board
	watcher   *Watcher
	logs      *observer.ObservedLogs
	stop      func()
}

func sentinelAddr(i int) string { return fmt.Sprintf("10.0.1.%d:26379", i+1) }
func nodeAddr(i int) string     { return fmt.Sprintf("10.0.0.%d:6379", i+1) }

// newBench starts the fakes; change may adjust them and the options before the
// Watcher runs.
func newBench(t *testing.T, change func(b *bench, o *Options)) *bench {
	t.Helper()
	b := &bench{t: t, network: fake.NewNetwork(), board: topology.NewBoard()}
	o := Options{Master: "mymaster", Dial: b.network.Dial}
	for i := range 3 {
		b.nodes = append(b.nodes, fake.StartRedis(b.network.MustListen(nodeAddr(i))))
	}
	for i := range 3 {
		b.sentinels = append(b.sentinels, fake.StartSentinel(b.network.MustListen(sentinelAddr(i)), "mymaster", nodeAddr(0)))
		o.Addresses = append(o.Addresses, sentinelAddr(i))
	}
	b.nodes[0].Replicas(b.nodes[1], b.nodes[2])
	core, logs := observer.New(zap.InfoLevel)
	o.Log, b.logs = zap.New(core), logs
	if change != nil {
		change(b, &o)
	}
	var err error
	if b.watcher, err = New(o, b.board); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.watcher.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error("Run:", err)
		}
		for _, n := range b.nodes {
			n.Close()
		}
		for _, s := range b.sentinels {
			s.Close()
		}
	}
	return b
}

// pass lets fake time pass and everything settle.
func (b *bench) pass(d time.Duration) {
	time.Sleep(d) // fake time: the bubble moves on once all are idle
	synctest.Wait()
}

// expect checks the view.
func (b *bench) expect(phase topology.Phase, master string, epoch, generation uint64) {
	b.t.Helper()
	v := b.board.Load()
	if v.Phase != phase || v.Master != master || v.Epoch != epoch || v.Generation != generation {
		b.t.Errorf("view is %s %s epoch %d generation %d (%s), want %s %s %d %d",
			v.Phase, v.Master, v.Epoch, v.Generation, v.Reason, phase, master, epoch, generation)
	}
}

// begin makes S0 lead a forced failover of A.
func (b *bench) begin() {
	b.sentinels[0].Update(func(m *fake.Master) { m.Flags = "master,failover_in_progress,force_failover" })
	b.sentinels[0].Publish("+try-failover", "master mymaster 10.0.0.1 6379")
}

// promote makes node i a master.
func (b *bench) promote(i int) { b.nodes[i].BecomeMaster() }

// announce makes Sentinel i announce node n.
func (b *bench) announce(i, n int, epoch uint64) {
	b.sentinels[i].Update(func(m *fake.Master) { *m = fake.Master{Addr: nodeAddr(n), Epoch: epoch, Flags: "master"} })
	b.sentinels[i].Publish("+switch-master", fmt.Sprintf("mymaster 10.0.0.1 6379 10.0.0.%d 6379", n+1))
}

// lines counts the log lines with that text.
func (b *bench) lines(text string) int { return b.logs.FilterMessage(text).Len() }

func TestWatcherFollowsAForcedFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		b.pass(100 * time.Millisecond)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		seen := b.board.Load()
		began := time.Now()
		b.begin()
		synctest.Wait()
		b.expect(topology.Holding, nodeAddr(0), 0, 1)
		if v := b.board.Load(); v.Reason != "+try-failover seen by Sentinel 10.0.1.1:26379" || !v.Since.Equal(began) {
			t.Errorf("reason %q, since %s", v.Reason, v.Since)
		}
		if _, err := b.board.Await(t.Context(), seen); err != nil {
			t.Error(err)
		}
		b.pass(200 * time.Millisecond)
		b.promote(1)
		b.sentinels[0].Update(func(m *fake.Master) {
			*m = fake.Master{Addr: nodeAddr(1), Subject: nodeAddr(0), Epoch: 1, Flags: "master,failover_in_progress"}
		})
		b.sentinels[0].Publish("+promoted-slave", "slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379")
		b.pass(50 * time.Millisecond)
		b.expect(topology.Holding, nodeAddr(0), 0, 1)
		if n := len(b.nodes[1].Calls()); n != 0 {
			t.Errorf("the new master was asked %d times before a majority announced it", n)
		}
		b.announce(1, 1, 1)
		synctest.Wait()
		b.expect(topology.Serving, nodeAddr(1), 1, 2)
		b.announce(2, 1, 1)
		b.pass(20 * time.Second) // the leader still shows failover_in_progress, of the former master
		b.expect(topology.Serving, nodeAddr(1), 1, 2)
		st := b.watcher.Status()
		if len(st.Switches) != 1 || st.Switches[0].From != nodeAddr(0) || st.Switches[0].To != nodeAddr(1) || st.Switches[0].HeldMS != 250 {
			t.Errorf("switches: %+v", st.Switches)
		}
		for text, n := range map[string]int{"hold": 1, "switch": 1, "master found": 1, "sentinel connected": 3, "sentinel subscribed": 3} {
			if b.lines(text) != n {
				t.Errorf("%d lines %q, want %d: %v", b.lines(text), text, n, b.logs.All())
			}
		}
	})
}

func TestWatcherIgnoresOneLiar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(b *bench, _ *Options) {
			b.sentinels[2].Update(func(m *fake.Master) { m.Addr, m.Epoch = nodeAddr(2), 77 })
			b.nodes[2].BecomeMaster()
		})
		defer b.stop()
		b.pass(time.Minute)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		b.sentinels[2].Publish("+switch-master", "mymaster 10.0.0.1 6379 10.0.0.3 6379")
		b.pass(time.Minute)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		if n := b.network.Dials(nodeAddr(2)); n != 0 {
			t.Errorf("what the liar announces was dialled %d times", n)
		}
		if st := b.watcher.Status(); st.Holds != 0 {
			t.Errorf("%d holds", st.Holds)
		}
	})
}

func TestWatcherBoundsALoneClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		b.pass(time.Second)
		for range 200 { // the same claim, again and again
			b.begin()
			b.pass(500 * time.Millisecond)
		}
		if st := b.watcher.Status(); st.Holds == 0 || st.Holds > 3 || !st.Sentinels[0].Distrusted {
			t.Errorf("%d holds in 100 s, row %+v", st.Holds, st.Sentinels[0])
		}
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
	})
}

func TestWatcherNoMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(b *bench, _ *Options) {
			b.sentinels[1].Close()
			b.sentinels[2].Close()
		})
		defer b.stop()
		b.pass(5 * time.Second)
		b.expect(topology.Unknown, "", 0, 0)
		if r := b.board.Load().Reason; !strings.Contains(r, "no majority: 1 of 3") {
			t.Error(r)
		}
		b.pass(time.Minute)
		if n := b.lines("sentinels do not agree"); n != 1 {
			t.Errorf("%d lines about one state", n)
		}
		if n := b.lines("sentinel lost"); n != 2 {
			t.Errorf("%d lines about two lost Sentinels", n)
		}
		b.sentinels[1] = fake.StartSentinel(b.network.MustListen(sentinelAddr(1)), "mymaster", nodeAddr(0))
		b.pass(3 * time.Second)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
	})
}

func TestWatcherNoSentinelAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(b *bench, _ *Options) {
			for _, s := range b.sentinels {
				s.Close()
			}
		})
		defer b.stop()
		b.pass(2 * time.Minute)
		b.expect(topology.Unknown, "", 0, 0)
		if r := b.board.Load().Reason; !strings.Contains(r, "none of the 3 configured Sentinels is reachable") {
			t.Error(r)
		}
		if n := b.lines("sentinels do not agree"); n != 1 {
			t.Errorf("%d lines about one state", n)
		}
	})
}

func TestWatcherUnknownName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ *bench, o *Options) { o.Master = "other" })
		defer b.stop()
		b.pass(2 * time.Second)
		b.expect(topology.Unknown, "", 0, 0)
		if r := b.board.Load().Reason; !strings.Contains(r, "no Sentinel monitors a master named 'other'") {
			t.Error(r)
		}
	})
}

func TestWatcherSentinelsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		b.pass(time.Second)
		for _, s := range b.sentinels {
			s.Close()
		}
		b.pass(time.Minute)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		if n := b.lines("sentinel lost"); n != 3 {
			t.Errorf("%d lines about three lost Sentinels", n)
		}
		for i := range b.sentinels {
			b.sentinels[i] = fake.StartSentinel(b.network.MustListen(sentinelAddr(i)), "mymaster", nodeAddr(1))
			b.sentinels[i].Update(func(m *fake.Master) { m.Epoch = 1 })
		}
		b.promote(1)
		b.pass(5 * time.Second)
		b.expect(topology.Serving, nodeAddr(1), 1, 2)
	})
}

func TestWatcherSlowAndSilentSentinels(t *testing.T) {
	for name, fault := range map[string]func(*bench){
		"late":   func(b *bench) { b.sentinels[2].Delay(5 * time.Second) },
		"frozen": func(b *bench) { b.sentinels[2].Freeze() },
		"cut":    func(b *bench) { b.network.Cut(sentinelAddr(2)); b.sentinels[2].Disconnect() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				defer b.stop()
				b.pass(time.Second)
				fault(b)
				b.pass(10 * time.Second)
				if b.watcher.Status().Sentinels[2].Connected {
					t.Error("still counted as connected")
				}
				b.begin()
				b.pass(time.Second)
				b.expect(topology.Holding, nodeAddr(0), 0, 1)
				b.promote(1)
				b.announce(0, 1, 1)
				b.announce(1, 1, 1)
				synctest.Wait()
				b.expect(topology.Serving, nodeAddr(1), 1, 2)
				b.sentinels[2].Thaw()
				b.sentinels[2].Delay(0)
				b.network.Mend(sentinelAddr(2))
				b.pass(10 * time.Second)
				b.expect(topology.Serving, nodeAddr(1), 1, 2) // it still announces A: stale
				if !b.watcher.Status().Sentinels[2].Connected {
					t.Error("not connected again")
				}
			})
		})
	}
}

func TestWatcherNewMasterFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		b.pass(time.Second)
		b.nodes[1].Freeze()
		b.announce(0, 1, 1)
		b.announce(1, 1, 1)
		b.pass(3 * time.Second)
		b.expect(topology.Holding, nodeAddr(0), 0, 1)
		b.announce(1, 2, 2) // another failover: the loop is not stuck at the frozen node
		b.announce(2, 2, 2)
		b.promote(2)
		synctest.Wait()
		b.expect(topology.Serving, nodeAddr(2), 2, 2)
	})
}

func TestWatcherPollingOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(b *bench, _ *Options) {
			for _, s := range b.sentinels {
				s.Forbid("SUBSCRIBE", "PSUBSCRIBE", "SENTINEL SENTINELS", "SENTINEL MYID")
			}
		})
		defer b.stop()
		b.pass(time.Minute)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		if n := b.lines("sentinel refuses SUBSCRIBE, polling only"); n != 3 {
			t.Errorf("%d lines", n)
		}
		b.begin()
		b.pass(245 * time.Millisecond)
		b.expect(topology.Holding, nodeAddr(0), 0, 1)
		b.pass(time.Second)
		b.promote(1)
		b.announce(0, 1, 1)
		b.announce(1, 1, 1)
		b.pass(65 * time.Millisecond)
		b.expect(topology.Serving, nodeAddr(1), 1, 2)
	})
}

func TestWatcherPasswords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(b *bench, o *Options) {
			o.User, o.Password, o.RolePassword = "steadis", "secret", "rolesecret"
			for _, s := range b.sentinels {
				s.Require("steadis", "secret")
			}
			b.nodes[0].Require("default", "rolesecret")
		})
		defer b.stop()
		b.pass(time.Second)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		if !b.watcher.Status().Sentinels[0].Subscribed {
			t.Error("not subscribed")
		}
		for _, e := range b.logs.All() {
			if s := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(s, "secret") {
				t.Errorf("a password in the log: %s", s)
			}
		}
	})
}

func TestWatcherWrongPasswords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(b *bench, o *Options) {
			b.sentinels[2].Require("", "secret")
			b.nodes[0].Require("default", "other") // RolePassword is not given: cannot say
		})
		defer b.stop()
		b.pass(30 * time.Second)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		if n := b.lines("role of the announced master"); n != 1 {
			t.Errorf("%d lines that ROLE is refused", n)
		}
		if row := b.watcher.Status().Sentinels[2]; row.Connected || !strings.Contains(row.Error, "NOAUTH") {
			t.Errorf("%+v", row)
		}
	})
}

func TestWatcherNamesAndIPv6(t *testing.T) {
	for _, host := range []string{"redis-0.redis.svc.cluster.local:6379", "[2001:db8::7]:6379"} {
		t.Run(host, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(b *bench, o *Options) {
					b.nodes = append(b.nodes, fake.StartRedis(b.network.MustListen(host)))
					for _, s := range b.sentinels {
						s.Update(func(m *fake.Master) { m.Addr = host })
					}
					b.sentinels = append(b.sentinels, fake.StartSentinel(b.network.MustListen("sentinel-3:26379"), "mymaster", host),
						fake.StartSentinel(b.network.MustListen("[2001:db8::9]:26379"), "mymaster", host))
					o.Addresses = []string{"sentinel-3:26379", "[2001:db8::9]:26379", sentinelAddr(0)}
				})
				defer b.stop()
				b.pass(time.Second)
				b.expect(topology.Serving, host, 0, 1)
				name, port, _ := net.SplitHostPort(host)
				b.sentinels[3].Publish("+odown", "master mymaster "+name+" "+port+" #quorum 2/2")
				synctest.Wait()
				if b.watcher.Status().Holds != 1 {
					t.Error("no hold at +odown")
				}
			})
		})
	}
}

func TestWatcherAddressMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(b *bench, o *Options) {
			for i, said := range []string{"172.18.0.5:6379", "172.18.0.5:6379", "172.18.0.6:6379"} {
				b.sentinels[i].Update(func(m *fake.Master) { m.Addr = said })
			}
			o.AddressMap = map[string]string{"172.18.0.5:6379": nodeAddr(0), "172.18.0.6": "10.0.0.2"}
		})
		defer b.stop()
		b.pass(time.Second)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		if row := b.watcher.Status().Sentinels[2]; row.Master != nodeAddr(1) {
			t.Errorf("a host alone is mapped to %q", row.Master)
		}
		b.sentinels[0].Publish("+try-failover", "master mymaster 172.18.0.5 6379")
		synctest.Wait()
		if b.watcher.Status().Holds != 1 {
			t.Error("the map was not applied to the event")
		}
	})
}

func TestWatcherEpochAndAddressArePaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		b.pass(time.Second)
		b.promote(1)
		for i := range 2 {
			b.sentinels[i].AfterMaster(func(m *fake.Master) { m.Addr, m.Epoch = nodeAddr(1), 9 })
		}
		b.pass(3 * time.Second)
		b.expect(topology.Serving, nodeAddr(1), 9, 2)
	})
}

func TestWatcherLeaderShowsNewEpochWithOldAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		b.pass(time.Second)
		b.promote(1)
		for i := range 2 { // SENTINEL MASTER: new epoch, old address; get-master-addr: the new one
			b.sentinels[i].Update(func(m *fake.Master) {
				*m = fake.Master{Addr: nodeAddr(1), Subject: nodeAddr(0), Epoch: 1, Flags: "master,o_down,failover_in_progress"}
			})
		}
		b.pass(2 * time.Second)
		b.expect(topology.Serving, nodeAddr(1), 1, 2)
		b.pass(time.Minute)
		b.expect(topology.Serving, nodeAddr(1), 1, 2)
	})
}

func TestWatcherLearnsSentinels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fourth = "10.0.1.9:26379"
		var extra *fake.Sentinel
		b := newBench(t, func(b *bench, o *Options) {
			extra = fake.StartSentinel(b.network.MustListen(fourth), "mymaster", nodeAddr(0))
			for i, s := range b.sentinels[:2] {
				other := b.sentinels[1-i]
				s.Peers(fake.Peer{Addr: other.Addr(), RunID: other.ID()}, fake.Peer{Addr: fourth, RunID: extra.ID()})
			}
			b.sentinels[2].Peers(fake.Peer{Addr: "10.6.6.6:26379", RunID: fake.RunID("lie")})
		})
		defer b.stop()
		defer extra.Close()
		b.pass(15 * time.Second)
		st := b.watcher.Status()
		if len(st.Sentinels) != 4 || !st.Sentinels[3].Learned || st.Sentinels[3].Address != fourth || !st.Sentinels[3].Subscribed {
			t.Errorf("%+v", st.Sentinels)
		}
		if b.network.Dials("10.6.6.6:26379") != 0 {
			t.Error("one Sentinel alone made us dial")
		}
		extra.Publish("+try-failover", "master mymaster 10.0.0.1 6379")
		synctest.Wait()
		if b.watcher.Status().Holds != 1 {
			t.Error("no hold at the event of a learned Sentinel")
		}
		b.sentinels[0].Peers()
		b.pass(15 * time.Second)
		if n := len(b.watcher.Status().Sentinels); n != 3 {
			t.Errorf("%d Sentinels after the majority stopped listing the fourth", n)
		}
	})
}

func TestWatcherDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ *bench, o *Options) { o.Poll = time.Hour })
		defer b.stop()
		b.pass(time.Minute) // the fast polling of the start is over
		for _, s := range b.sentinels {
			s.Forget()
		}
		b.board.Doubt(1, "connection refused")
		synctest.Wait()
		for i, s := range b.sentinels {
			if len(s.Calls("SENTINEL MASTER")) != 1 {
				t.Errorf("Sentinel %d was asked %d times", i, len(s.Calls("SENTINEL MASTER")))
			}
		}
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		b.pass(10 * time.Second)
		if n := len(b.sentinels[0].Calls("SENTINEL MASTER")); n < 30 || n > 80 {
			t.Errorf("asked %d times in the 5 s after a doubt", n)
		}
		b.nodes[0].BecomeReplica(nodeAddr(1))
		b.board.Doubt(1, "READONLY")
		synctest.Wait()
		b.expect(topology.Holding, nodeAddr(0), 0, 1)
		b.nodes[0].BecomeMaster()
		b.pass(300 * time.Millisecond)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
	})
}

func TestWatcherSurvivesNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		b.pass(time.Second)
		for _, raw := range []string{"*0\r\n", "*1\r\n:1\r\n", "*3\r\n$7\r\nmessage\r\n:1\r\n:2\r\n", "$9223372036854775807\r\n",
			"*2147483647\r\n", strings.Repeat("*1\r\n", 1000), "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n$1\r\ny\r\n", "%1\r\n", "\r\n"} {
			b.sentinels[0].Say(raw)
			b.pass(5 * time.Second)
		}
		for _, payload := range []string{"", "mymaster", "mymaster 1 2 3", "mymaster 10.0.0.1 6379 10.0.0.2 99999", strings.Repeat("x ", 5000)} {
			b.sentinels[0].Publish("+switch-master", payload)
			b.sentinels[0].Publish("+try-failover", payload)
			b.pass(time.Second)
		}
		b.sentinels[1].Update(func(m *fake.Master) { m.Addr = "no address" })
		b.pass(5 * time.Second)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		if !b.watcher.Status().Sentinels[0].Subscribed {
			t.Error("not subscribed again")
		}
	})
}

func TestWatcherMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		b := newBench(t, func(_ *bench, o *Options) { o.Registry = registry })
		defer b.stop()
		b.pass(time.Second)
		b.begin()
		b.pass(100 * time.Millisecond)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range families {
			for _, m := range f.Metric {
				v := m.Counter.GetValue() + m.Gauge.GetValue()
				if v != 0 && f.GetName() != "steadis_sentinel_last_answer_age_seconds" {
					var labels string
					for _, l := range m.Label {
						labels += "{" + l.GetValue() + "}"
					}
					got = append(got, fmt.Sprint(f.GetName(), labels, " ", v))
				}
			}
		}
		want := []string{"steadis_sentinel_generation 1", "steadis_sentinel_holds_total{try_failover} 1", "steadis_sentinel_phase{holding} 1"}
		for i := range 3 {
			want = append(want, fmt.Sprintf("steadis_sentinel_up{%s} 1", sentinelAddr(i)), fmt.Sprintf("steadis_sentinel_subscribed{%s} 1", sentinelAddr(i)))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if _, err := New(Options{Addresses: []string{"x:1"}, Master: "m", Registry: registry}, b.board); err == nil {
			t.Error("metrics registered twice without an error")
		}
	})
}

func TestOptionsFaultsAreAllReported(t *testing.T) {
	_, err := New(Options{Addresses: []string{"a", "b:0", "c:99999", "::1:5"}, Master: "my master", Poll: -1}, topology.NewBoard())
	for _, part := range []string{`"a"`, `"b:0"`, `"c:99999"`, `"::1:5"`, `"my master"`, "negative"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s is not in: %v", part, err)
		}
	}
	w, err := New(Options{Addresses: []string{"a:1", "a:1", " [::1]:2 "}, Master: "m"}, topology.NewBoard())
	if err != nil || len(w.o.Addresses) != 2 {
		t.Error(err, w.o.Addresses)
	}
	if _, err := New(Options{Addresses: []string{"a:1"}, Master: "m"}, nil); err == nil {
		t.Error("no board, no error")
	}
}

func TestRunOnce(t *testing.T) {
	w, err := New(Options{Addresses: []string{"127.0.0.1:1"}, Master: "m"}, topology.NewBoard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Error(err)
	}
	if err := w.Run(ctx); !errors.Is(err, ErrRunning) {
		t.Error(err)
	}
}
