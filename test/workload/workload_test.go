package workload_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"steadis/test/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loadFake runs a load against the fake until enough was sent, and audits it.
func loadFake(t *testing.T, f *fakeRedis, o workload.Options) *workload.Audit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o.Addr = f.addr()
	load, err := workload.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	for live := load.Live(); live.Acknowledged < 200; live = load.Live() {
		if ctx.Err() != nil {
			t.Fatalf("the load stands still: %+v", live)
		}
		<-time.After(time.Millisecond) // polls; nothing depends on how long it is
	}
	audit, err := load.Stop(5*time.Second).Audit(ctx, workload.Source{Addr: f.addr()})
	if err != nil {
		t.Fatal(err)
	}
	if sum := audit.Acknowledged + audit.UnknownPresent + audit.UnknownAbsent; sum > audit.Sent {
		t.Errorf("the figures do not add up: %v of %d sent", audit, audit.Sent)
	}
	return audit
}

// Each row breaks one promise at value 10 of one list, or, for the batches of
// depth 4, somewhere in the middle of a batch. A checker that did not see it
// would be worth nothing.
func TestAuditSeesEveryFault(t *testing.T) {
	const victim = "steadis:load:0"
	at := func(value int, fault func(f *fakeRedis) (bool, string)) func(*fakeRedis, string, int) (bool, string) {
		return func(f *fakeRedis, key string, v int) (bool, string) {
			if key == victim && v == value {
				return fault(f)
			}
			return true, ""
		}
	}
	for _, tc := range []struct {
		name  string
		fault func(*fakeRedis, string, int) (bool, string)
		want  workload.Audit
		clean bool
	}{
		{"nothing", at(10, func(*fakeRedis) (bool, string) { return true, "" }), workload.Audit{}, true},
		{"acknowledged and lost", at(10, func(*fakeRedis) (bool, string) { return false, ":10\r\n" }),
			workload.Audit{Lost: 1}, false},
		{"done twice", at(10, func(f *fakeRedis) (bool, string) { f.push(victim, 10); return true, "" }),
			workload.Audit{Doubled: 1}, false},
		{"an old value again", at(10, func(f *fakeRedis) (bool, string) { f.push(victim, 3); return true, "" }),
			workload.Audit{Doubled: 1}, false},
		{"before its turn", at(10, func(f *fakeRedis) (bool, string) {
			last := len(f.lists[victim]) - 1
			f.lists[victim][last] = "10"
			f.push(victim, 9)
			return false, ""
		}), workload.Audit{Reordered: 1}, false},
		{"never sent", at(10, func(f *fakeRedis) (bool, string) { f.push(victim, 1<<40); return true, "" }),
			workload.Audit{Alien: 1}, false},
		{"refused, and absent", at(10, func(*fakeRedis) (bool, string) { return false, "-LOADING wait\r\n" }),
			workload.Audit{Errors: map[string]int{"LOADING": 1}}, true},
		{"refused, and present", at(10, func(*fakeRedis) (bool, string) { return true, "-LOADING wait\r\n" }),
			workload.Audit{RefusedPresent: 1, Errors: map[string]int{"LOADING": 1}}, false},
		{"in doubt, and present", at(10, func(*fakeRedis) (bool, string) { return true, "-INDOUBT who knows\r\n" }),
			workload.Audit{UnknownPresent: 1, MostInDoubt: 1, Errors: map[string]int{"INDOUBT": 1}}, true},
		{"in doubt, and absent", at(10, func(*fakeRedis) (bool, string) { return false, "-INDOUBT who knows\r\n" }),
			workload.Audit{UnknownAbsent: 1, MostInDoubt: 1, Errors: map[string]int{"INDOUBT": 1}}, true},
		{"dropped after it ran", at(10, func(*fakeRedis) (bool, string) { return true, "hangup" }),
			workload.Audit{UnknownPresent: 1, Dropped: 1}, false},
		{"dropped before it ran", at(10, func(*fakeRedis) (bool, string) { return false, "hangup" }),
			workload.Audit{UnknownAbsent: 1, Dropped: 1}, false},
		{"answered with nonsense", at(10, func(*fakeRedis) (bool, string) { return true, "+OK\r\n" }),
			workload.Audit{UnknownPresent: 1, Dropped: 1}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := loadFake(t, startFake(t, tc.fault), workload.Options{Writers: 3})
			expect(t, got, tc.want, tc.clean)
		})
	}
}

func expect(t *testing.T, got *workload.Audit, want workload.Audit, clean bool) {
	t.Helper()
	type figures struct{ lost, doubled, reordered, alien, present, absent, refused, dropped, most int }
	of := func(a *workload.Audit) figures {
		return figures{a.Lost, a.Doubled, a.Reordered, a.Alien, a.UnknownPresent, a.UnknownAbsent, a.RefusedPresent, a.Dropped, a.MostInDoubt}
	}
	if of(got) != of(&want) {
		t.Errorf("got %+v, want %+v; %v", of(got), of(&want), got.Examples)
	}
	for prefix, n := range want.Errors {
		if got.Errors[prefix] != n {
			t.Errorf("errors %v, want %v", got.Errors, want.Errors)
		}
	}
	if len(got.Errors) != len(want.Errors) {
		t.Errorf("errors %v, want %v", got.Errors, want.Errors)
	}
	if got.Flawless() != clean {
		t.Errorf("Flawless is %v: %v", got.Flawless(), got)
	}
}

// A batch that is cut off in the middle leaves its rest unknown and keeps what
// was acknowledged.
func TestDroppedBatch(t *testing.T) {
	f := startFake(t, func(_ *fakeRedis, key string, v int) (bool, string) {
		if key == "steadis:load:0" && v == 10 {
			return true, "hangup"
		}
		return true, ""
	})
	got := loadFake(t, f, workload.Options{Writers: 2, Depth: 4})
	if got.Dropped != 1 || got.UnknownPresent != 1 || got.UnknownAbsent != 2 || got.Lost != 0 {
		t.Errorf("value 10 of the batch 9..12 was dropped: %v", got)
	}
}

// A held command is on record with the time it waited, Live shows it waiting,
// and Stop's grace ends it.
func TestHeldCommand(t *testing.T) {
	const hold = 150 * time.Millisecond
	held := make(chan struct{})
	f := startFake(t, func(f *fakeRedis, key string, v int) (bool, string) {
		if key == "steadis:load:1" && v == 20 {
			f.mu.Unlock()
			<-time.After(hold) // this is the behaviour under test, not a synchronisation
			f.mu.Lock()
			close(held)
		}
		return true, ""
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	load, err := workload.Start(ctx, workload.Options{Addr: f.addr(), Writers: 2, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	longest := time.Duration(0)
	for waiting := true; waiting; {
		select {
		case <-held:
			waiting = false
		case <-time.After(5 * time.Millisecond):
			longest = max(longest, load.Live().Waiting)
		}
	}
	audit, err := load.Stop(time.Second).Audit(ctx, workload.Source{Addr: f.addr()})
	if err != nil {
		t.Fatal(err)
	}
	if audit.LongestWait < hold || audit.WaitTo.Sub(audit.WaitFrom) != audit.LongestWait {
		t.Errorf("longest wait %v, from %v to %v", audit.LongestWait, audit.WaitFrom, audit.WaitTo)
	}
	if longest < hold/2 {
		t.Errorf("Live showed a longest wait of %v", longest)
	}
	if !audit.Flawless() || audit.P50 >= hold || audit.P999 < audit.P50 {
		t.Errorf("%v; p50 %v, p99.9 %v", audit, audit.P50, audit.P999)
	}
	sum := 0
	for _, n := range audit.Buckets {
		sum += n
	}
	if sum != audit.Acknowledged {
		t.Errorf("the buckets hold %d of %d acknowledgements", sum, audit.Acknowledged)
	}
}

func TestStopGivesUp(t *testing.T) {
	never := make(chan struct{})
	f := startFake(t, func(f *fakeRedis, _ string, v int) (bool, string) {
		if v == 5 {
			f.mu.Unlock()
			<-never
			f.mu.Lock()
		}
		return true, ""
	})
	t.Cleanup(func() { close(never) })
	load, err := workload.Start(t.Context(), workload.Options{Addr: f.addr(), Writers: 1})
	if err != nil {
		t.Fatal(err)
	}
	for load.Live().Acknowledged < 4 {
		<-time.After(time.Millisecond)
	}
	record := load.Stop(20 * time.Millisecond)
	w := record.Writers[0]
	if last := w.Ops[len(w.Ops)-1]; last.Outcome != workload.Unknown || w.Dropped != 0 {
		t.Errorf("given up: %+v, dropped %d", last, w.Dropped)
	}
}

func TestReaderSeesStaleReads(t *testing.T) {
	for _, stale := range []bool{false, true} {
		f := startFake(t, func(_ *fakeRedis, _ string, v int) (bool, string) {
			return !stale || v < 10, ":1\r\n"
		})
		load, err := workload.Start(t.Context(), workload.Options{Addr: f.addr(), Writers: 1})
		if err != nil {
			t.Fatal(err)
		}
		reader := load.StartReader(t.Context(), f.addr(), "", "")
		for load.Live().Acknowledged < 500 {
			<-time.After(time.Millisecond)
		}
		reads := reader.Stop()
		load.Stop(time.Second)
		if reads.Answered == 0 || (reads.Stale > 0) != stale || reads.Dropped != 0 {
			t.Errorf("stale %v: %+v", stale, reads)
		}
	}
}

// awaitPings waits until n more pings have ended.
func awaitPings(t *testing.T, p *workload.Pinger, n int) {
	t.Helper()
	for from := p.Seen(); p.Seen() < from+n; {
		if t.Context().Err() != nil {
			t.Fatal("no pings")
		}
		<-time.After(time.Millisecond)
	}
}

func TestPinger(t *testing.T) {
	f := startFake(t, nil)
	pinger := workload.StartPinger(t.Context(), f.addr(), time.Millisecond)
	awaitPings(t, pinger, 3)
	changing := time.Now()
	f.mu.Lock()
	f.pong = "-LOADING steadis: no master\r\n"
	f.mu.Unlock()
	awaitPings(t, pinger, 3)
	pings := pinger.Stop()
	for i, p := range workload.Between(pings, time.Time{}, changing) {
		if i < 3 && (p.Reply != "PONG" || p.Failed || p.Took <= 0) {
			t.Errorf("%+v", p)
		}
	}
	if last := pings[len(pings)-1]; !strings.HasPrefix(last.Reply, "LOADING") || last.Failed {
		t.Errorf("%+v", last)
	}
	dead := workload.StartPinger(t.Context(), "127.0.0.1:1", time.Hour)
	awaitPings(t, dead, 1-dead.Seen())
	if got := dead.Stop(); len(got) != 1 || !got[0].Failed {
		t.Errorf("a dead address: %+v", got)
	}
}

func TestMedian(t *testing.T) {
	if got := workload.Median(nil); got != 0 {
		t.Error(got)
	}
	if got := workload.Median([]time.Duration{9, 1, 5}); got != 5 {
		t.Error(got)
	}
}

// A server that stalls once for 100 ms: in an open loop every value that fell due
// meanwhile has waited, and all are sent in the end. A closed loop sees one.
func TestOpenLoopCountsFromWhenItWasDue(t *testing.T) {
	const stall, every = 100 * time.Millisecond, 2 * time.Millisecond
	for _, tc := range []struct {
		name    string
		options workload.Options
		least   int
		most    int
	}{
		{"open", workload.Options{Writers: 1, Every: every, ValueSize: 9}, int(stall/every) / 2, 200},
		{"closed", workload.Options{Writers: 1, Pause: every, ValueSize: 9}, 1, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := startFake(t, func(_ *fakeRedis, _ string, v int) (bool, string) {
				if v == 20 {
					<-time.After(stall) // what is tested is the wait itself
				}
				return true, ""
			})
			tc.options.Addr = f.addr()
			load, err := workload.Start(t.Context(), tc.options)
			if err != nil {
				t.Fatal(err)
			}
			for load.Live().Acknowledged < 100 {
				<-time.After(time.Millisecond)
			}
			record := load.Stop(5 * time.Second)
			audit, err := record.Audit(t.Context(), workload.Source{Addr: f.addr()})
			if err != nil || !audit.Flawless() {
				t.Fatalf("%v: %v %v", err, audit, audit.Examples)
			}
			waited := 0
			for _, op := range record.Writers[0].Ops {
				if op.Wait > stall/4 {
					waited++
				}
			}
			if waited < min(tc.least, int(stall/every)/4*3) || waited > tc.most {
				t.Errorf("%d values waited, want %d to %d", waited, tc.least, tc.most)
			}
		})
	}
}
