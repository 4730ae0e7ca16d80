package sentinel

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"steadis/sentinel/topology"
	"steadis/test/fake"
)

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

func TestWatcherAsksAfterEverySubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ *bench, o *Options) { o.Poll = time.Hour })
		defer b.stop()
		b.pass(time.Minute)
		// An event is published while the connections are down: nobody hears it.
		b.sentinels[0].Update(func(m *fake.Master) { m.Flags = "master,failover_in_progress" })
		b.sentinels[0].Disconnect()
		b.pass(150 * time.Millisecond) // less than any poll: the new subscription makes it ask
		b.expect(topology.Holding, nodeAddr(0), 0, 1)
	})
}
