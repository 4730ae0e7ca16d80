package sentinel

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"steadis/sentinel/topology"
	"steadis/test/fake"
)

// more starts further Sentinels, up to n in all, that announce node 0.
func (b *bench) more(n int) {
	for i := len(b.sentinels); i < n; i++ {
		b.sentinels = append(b.sentinels, fake.StartSentinel(b.network.MustListen(sentinelAddr(i)), "mymaster", nodeAddr(0)))
	}
}

// reload makes Sentinels first to last the list; change may change other options.
func (b *bench) reload(first, last int, change func(*Options)) {
	b.t.Helper()
	o := *b.watcher.opts()
	o.Addresses = nil
	for i := first; i <= last; i++ {
		o.Addresses = append(o.Addresses, sentinelAddr(i))
	}
	if change != nil {
		change(&o)
	}
	apply, err := b.watcher.Prepare(o)
	if err != nil {
		b.t.Fatal(err)
	}
	apply()
}

func (b *bench) listed() string {
	var all []string
	for _, row := range b.watcher.Status().Sentinels {
		all = append(all, row.Address)
	}
	return fmt.Sprint(all)
}

// TestReloadOfTheWholeList replaces every Sentinel at once, where commands are held without
// a majority: nothing is held, and the new ones alone decide afterwards.
func TestReloadOfTheWholeList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(b *bench, o *Options) { o.HoldWithoutMajority = true; b.more(6) })
		defer b.stop()
		b.pass(100 * time.Millisecond)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		b.reload(3, 5, nil)
		b.pass(time.Second)
		if got, want := b.listed(), fmt.Sprint([]string{sentinelAddr(3), sentinelAddr(4), sentinelAddr(5)}); got != want {
			t.Errorf("the list is %s, want %s", got, want)
		}
		b.promote(1)
		for i := range 3 { // they have no say any more
			b.announce(i, 1, 1)
		}
		b.pass(time.Second)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		b.announce(3, 1, 1)
		b.announce(4, 1, 1)
		b.pass(time.Second)
		b.expect(topology.Serving, nodeAddr(1), 1, 2)
		if st := b.watcher.Status(); st.Holds > 1 { // the one of the failover
			t.Errorf("%d holds", st.Holds)
		}
		if n := b.lines("the list of Sentinels has changed"); n != 1 {
			t.Errorf("%d lines about it: %v", n, b.logs.All())
		}
	})
}

// TestReloadCountsTheNewList: of five, three must agree.
func TestReloadCountsTheNewList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(b *bench, _ *Options) { b.more(5) })
		defer b.stop()
		b.pass(100 * time.Millisecond)
		b.reload(0, 4, nil)
		b.pass(time.Second)
		if st := b.watcher.Status(); st.Configured != 5 || st.Majority != 3 || st.Holds != 0 {
			t.Fatalf("configured %d, majority %d, holds %d", st.Configured, st.Majority, st.Holds)
		}
		b.promote(1)
		b.announce(0, 1, 1)
		b.announce(1, 1, 1)
		b.pass(time.Second)
		if v := b.board.Load(); v.Generation != 1 {
			t.Errorf("two of five have moved traffic: %+v", v)
		}
		b.announce(4, 1, 1)
		b.pass(time.Second)
		b.expect(topology.Serving, nodeAddr(1), 1, 2)
		b.reload(1, 3, nil) // and back to three
		b.pass(time.Second)
		if st := b.watcher.Status(); st.Configured != 3 || len(st.Sentinels) != 3 {
			t.Errorf("configured %d: %+v", st.Configured, st.Sentinels)
		}
	})
}

// TestReloadOfAListThatDoesNotAnswer: the former list decides until the new one has had its
// time; then it is in force, as the operator wants it.
func TestReloadOfAListThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ *bench, o *Options) { o.HoldWithoutMajority = true })
		defer b.stop()
		b.pass(100 * time.Millisecond)
		b.reload(7, 9, nil)
		b.pass(joinFor - time.Second)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		b.pass(2 * time.Second)
		b.expect(topology.Holding, nodeAddr(0), 0, 1)
		b.reload(0, 2, nil)
		b.pass(time.Second)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
	})
}

// TestReloadOfTheOptions: sessions begin anew with another password, and nothing is held;
// options that New would refuse change nothing.
func TestReloadOfTheOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ *bench, o *Options) { o.HoldWithoutMajority = true })
		defer b.stop()
		b.pass(100 * time.Millisecond)
		before := len(b.sentinels[0].Calls())
		for _, s := range b.sentinels {
			s.Require("", "new")
		}
		b.reload(0, 2, func(o *Options) { o.Password, o.Master = "new", "another" })
		b.pass(time.Minute)
		b.expect(topology.Serving, nodeAddr(0), 0, 1)
		for _, row := range b.watcher.Status().Sentinels {
			if !row.Connected || !row.Subscribed {
				t.Errorf("after the reload: %+v", row)
			}
		}
		if o := b.watcher.opts(); o.Password != "new" || o.Master != "mymaster" {
			t.Errorf("options %q %q", o.Password, o.Master)
		}
		if len(b.sentinels[0].Calls()) == before {
			t.Error("not asked since")
		}
		if _, err := b.watcher.Prepare(Options{Addresses: []string{"nonsense"}}); err == nil {
			t.Error("nonsense is accepted")
		}
	})
}
