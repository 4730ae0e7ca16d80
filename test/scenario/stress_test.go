package scenario

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
	"steadis/test/fake"
)

// afflict does the faults, each of which leaves a master that serves.
func afflict(w *world, r *rand.Rand, kinds string) (log []string) {
	master, other := w.a, w.b
	pause := func(ms int) { time.Sleep(time.Duration(1+r.IntN(ms)) * time.Millisecond) }
	move := func(planned bool) {
		if planned {
			w.republishPhase(topology.Holding)
			pause(300)
		}
		master.BecomeReplica(other.Addr())
		other.BecomeMaster()
		other.Disconnect()
		pause(1200)
		w.generation++
		w.board.Publish(topology.View{Master: other.Addr(), Epoch: w.generation, Generation: w.generation, Phase: topology.Serving,
			Since: time.Now(), Reason: "stress"})
		master, other = other, master
		pause(300)
		if r.IntN(2) == 0 {
			other.Disconnect()
		}
		other.Thaw()
		other.ReleaseReplies()
		other.Delay(0)
		other.Disconnect()
		pause(100)
		master.Replicas(other)
	}
	for range 20 {
		pause(700)
		kind := kinds[r.IntN(len(kinds))]
		log = append(log, string(kind))
		switch kind {
		case 'h': // hold and release
			w.republishPhase(topology.Holding)
			pause(900)
			w.republishPhase(topology.Serving)
		case 'p': // planned
			move(true)
		case 'c': // crash
			w.net.Cut(master.Addr())
			master.Disconnect()
			old := master
			pause(900)
			move(r.IntN(2) == 0)
			w.net.Mend(old.Addr())
		case 'f': // freeze, then failover
			master.Freeze()
			pause(3000)
			move(r.IntN(2) == 0)
		case 'z': // freeze and thaw
			master.Freeze()
			pause(3000)
			master.Thaw()
		case 'd': // connections lost
			master.Disconnect()
		case 'x': // replies lost
			master.HoldReplies()
			pause(200)
			master.Disconnect()
			master.ReleaseReplies()
		case 'l': // loading
			master.Loading(true)
			pause(1500)
			master.Loading(false)
		case 's': // slow
			master.Delay(time.Duration(r.IntN(20)) * time.Millisecond)
			pause(1000)
			master.Delay(0)
		case 'o': // longer than the hold time
			w.republishPhase(topology.Holding)
			time.Sleep(6 * time.Second)
			w.republishPhase(topology.Serving)
		}
	}
	pause(2000)
	return log
}

func (w *world) republishPhase(p topology.Phase) {
	v := *w.board.Load()
	v.Phase, v.Since = p, time.Now()
	w.board.Publish(v)
}

func (w *world) master() *fake.Redis {
	if w.board.Load().Master == w.a.Addr() {
		return w.a
	}
	return w.b
}

// stress runs one seed and audits it.
func stress(t *testing.T, seed uint64, mode proxy.InDoubt, kinds, faults string) {
	inWorld(t, proxy.Options{InDoubt: mode, Hold: 5 * time.Second, HoldMaxCommands: 40, Drain: time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		stop := make(chan struct{})
		var done sync.WaitGroup
		clients := make([]*stressed, 16)
		for i := range clients {
			clients[i] = &stressed{w: w, id: i, r: rand.New(rand.NewPCG(seed, uint64(i+1))), kinds: kinds, mode: mode, fate: map[string]fortune{}}
			done.Add(1)
			go clients[i].run(stop, &done)
		}
		log := afflict(w, rand.New(rand.NewPCG(seed, 0)), faults)
		close(stop)
		done.Wait()
		synctest.Wait()
		if c := w.counts(); !c.Balanced() || c.Waiting != 0 {
			t.Errorf("counters: %+v", c)
		}
		audit(t, w.master(), clients, mode)
		if t.Failed() {
			t.Logf("seed %d, clients do %q, faults %v", seed, kinds, log)
		}
	})
}

func audit(t *testing.T, master *fake.Redis, clients []*stressed, mode proxy.InDoubt) {
	acked, unknown := 0, 0
	for _, s := range clients {
		if s.fault != "" {
			t.Error(s.fault)
		}
		seen, last := map[string]int{}, 0
		for _, v := range master.List(s.list()) {
			seen[v]++
			n := 0
			fmt.Sscanf(v, fmt.Sprintf("%d-%%d", s.id), &n)
			// What a client left in flight when it hung up may run behind what it sends
			// over its next connection, as with Redis itself.
			if n < last && seen[v] == 1 && mode != proxy.InDoubtRetry && s.fate[v] != unsure {
				t.Errorf("client %d: %s was appended behind number %d", s.id, v, last)
			}
			last = max(last, n)
		}
		for v, f := range s.fate {
			switch n := seen[v]; {
			case n > 1 && mode != proxy.InDoubtRetry:
				t.Errorf("%s was appended %d times", v, n)
			case f == acknowledged && n == 0:
				t.Errorf("%s was acknowledged and is not there", v)
			case f == refused && n > 0:
				t.Errorf("%s was refused and is there", v)
			}
			switch f {
			case acknowledged:
				acked++
			case unsure:
				unknown++
			}
		}
	}
	if acked == 0 {
		t.Error("nothing was acknowledged")
	}
	t.Logf("%d acknowledged, %d unsure", acked, unknown)
}

func TestStress(t *testing.T) {
	more := 0
	fmt.Sscan(os.Getenv("TEST_STRESS"), &more)
	for _, tt := range []struct {
		name          string
		kinds, faults string
	}{
		{"plain", "pppppps", "hpcfzdxso"},
		{"plain and hang-ups", "ppphs", "hpcfzdxso"},
		{"loading", "ppps", "lhpd"},
		{"groups", "pgggs", "hpcfzdxso"},
		{"transactions", "ptttw", "hpcfzdxso"},
		{"blocking", "pbbs", "hpcfzdxso"},
		{"all", "pgtwbhs", "hpcfzdxslo"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(3 + more) {
				for _, mode := range []proxy.InDoubt{proxy.InDoubtClose, proxy.InDoubtError, proxy.InDoubtRetry} {
					t.Run(fmt.Sprintf("%d-%d", seed, mode), func(t *testing.T) { stress(t, seed, mode, tt.kinds, tt.faults) })
				}
			}
		})
	}
}
