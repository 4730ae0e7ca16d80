package drill

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// healthy is a deployment of a master, two replicas and three Sentinels.
func healthy() view {
	v := view{roles: map[string]role{
		"m:1": {word: "master"}, "r:1": {word: "slave", link: "connected"}, "r:2": {word: "slave", link: "connected"},
	}}
	for _, addr := range []string{"s:1", "s:2", "s:3"} {
		v.sentinels = append(v.sentinels, opinion{addr: addr, master: "m:1", epoch: 3, flags: "master", downAfter: time.Second, quorum: 2, others: 2,
			replicas: []replica{{"r:1", "slave", "ok", 100}, {"r:2", "slave", "ok", 100}}})
	}
	return v
}

func TestFit(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*view)
		want  string // empty: fit
	}{
		{"healthy", func(*view) {}, ""},
		{"a replica that is never promoted", func(v *view) { v.each(func(o *opinion) { o.replicas[0].priority = 0 }) }, ""},
		{"a Sentinel is gone", func(v *view) { v.sentinels[1] = opinion{addr: "s:2", err: errors.New("refused")} }, "Sentinel s:2: refused"},
		{"two masters", func(v *view) { v.sentinels[2].master = "r:1" }, "s:3 announces r:1, the majority m:1"},
		{"no majority", func(v *view) { v.sentinels[1].master, v.sentinels[2].master = "r:1", "r:2" }, "no majority of the 3 Sentinels"},
		{"a failover is under way", func(v *view) { v.sentinels[0].flags = "master,failover_in_progress" }, "flags are master,failover_in_progress"},
		{"different epochs", func(v *view) { v.sentinels[0].epoch = 2 }, "different epochs, [2 3 3]"},
		{"no quorum", func(v *view) { v.sentinels[0].quorate = "NOQUORUM 1 usable Sentinels." }, "s:1: NOQUORUM"},
		{"the master is none", func(v *view) { v.roles["m:1"] = role{word: "slave", link: "connect"} }, "m:1 is announced as the master but says it is a replica"},
		{"the master is silent", func(v *view) { v.roles["m:1"] = role{err: errors.New("timeout")} }, "does not say so: timeout"},
		{"one Sentinel has no good replica", func(v *view) {
			v.sentinels[0].replicas[0].flags, v.sentinels[0].replicas[1].link = "slave,s_down", "err"
		}, "no replica that every Sentinel could promote"},
	} {
		v := healthy()
		tc.spoil(&v)
		got := strings.Join(v.fit(), "\n")
		if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func (v view) each(do func(*opinion)) {
	for i := range v.sentinels {
		do(&v.sentinels[i])
	}
}

func TestMissing(t *testing.T) {
	nodes := []string{"m:1", "r:1", "r:2"}
	// switched is healthy after r:1 became master.
	switched := func() view {
		v := healthy()
		v.each(func(o *opinion) {
			o.master = "r:1"
			o.replicas = []replica{{"m:1", "slave", "ok", 100}, {"r:2", "slave", "ok", 100}}
		})
		v.roles["r:1"], v.roles["m:1"] = role{word: "master"}, role{word: "slave", link: "connected"}
		return v
	}
	for _, tc := range []struct {
		name  string
		spoil func(*view)
		want  string
	}{
		{"all back", func(*view) {}, ""},
		{"not demoted", func(v *view) { v.roles["m:1"] = role{word: "master"} }, "the old master m:1 still says it is a master"},
		{"gone", func(v *view) { v.roles["m:1"] = role{err: errors.New("refused")} }, "the old master m:1 does not answer: refused"},
		{"syncing", func(v *view) { v.roles["r:2"] = role{word: "slave", link: "sync"} }, "r:2 is no connected replica: its link is 'sync'"},
		{"not seen yet", func(v *view) { v.sentinels[0].replicas[0].flags = "slave,s_down" }, "not every Sentinel has seen it (Sentinel s:1: flags slave,s_down"},
		{"forgotten", func(v *view) {
			delete(v.roles, "m:1")
			v.each(func(o *opinion) { o.replicas = o.replicas[1:] })
		}, "the old master m:1 is known to no Sentinel"},
		{"not fit", func(v *view) { v.sentinels[0].flags = "master,s_down" }, "flags are master,s_down"},
	} {
		v := switched()
		tc.spoil(&v)
		got := strings.Join(v.missing(nodes, "m:1"), "\n")
		if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
