package sentinel

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"steadis/sentinel/topology"
	"steadis/test/fake"
)

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
		for text, n := range map[string]int{"hold": 1, "switch": 1, "master found": 1, "sentinel connected": 3, "sentinel subscribed": 3,
			"sentinels do not agree": 0} {
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

// A Sentinel that switches between the two questions is asked again at once: the
// old epoch is never reported with the new address.
func TestAskerPairsEpochAndAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fake.NewNetwork()
		s := fake.StartSentinel(n.MustListen(sentinelAddr(0)), "mymaster", nodeAddr(0))
		defer s.Close()
		o, err := Options{Addresses: []string{sentinelAddr(0)}, Master: "mymaster", Dial: n.Dial}.normalized()
		if err != nil {
			t.Fatal(err)
		}
		a := newAsker(t.Context(), &o, sentinelAddr(0))
		defer a.close()
		if _, _, err := a.ask(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.AfterMaster(func(m *fake.Master) { m.Addr, m.Epoch = nodeAddr(1), 9 })
		if ans, _, err := a.ask(t.Context()); err != nil || ans.addr != nodeAddr(1) || ans.epoch != 9 {
			t.Errorf("%+v %v", ans, err)
		}
	})
}
