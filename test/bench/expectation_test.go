package main

import "testing"

func TestBoundsAreJudged(t *testing.T) {
	rep := sampleReport()
	each := func(f figures) float64 { return f.Each }
	for _, tt := range []struct {
		name string
		b    bound
		want verdict
	}{
		{"at least", bound{row: "get-c50", figure: rate, over: onlyDirect, limit: 0.9}, verdict{measured: true, value: 0.9, ok: true}},
		{"less", bound{row: "get-c50", figure: rate, over: onlyDirect, limit: 0.91}, verdict{measured: true, value: 0.9, ok: false}},
		{"the faster HAProxy counts", bound{row: "get-c50", figure: rate, over: bothHAProxies, limit: 1.6}, verdict{measured: true, value: 1.5, ok: false}},
		{"at most", bound{row: "get-c50", figure: redisCPU, over: onlyDirect, compare: ratioAtMost, limit: 0.25}, verdict{measured: true, value: 0.25, ok: true}},
		{"more", bound{row: "get-c50", figure: redisCPU, over: onlyDirect, compare: ratioAtMost, limit: 0.2}, verdict{measured: true, value: 0.25, ok: false}},
		{"excess", bound{row: "open-half-c50", figure: p99, over: onlyDirect, compare: excessAtMost, limit: 0.75}, verdict{measured: true, value: 0.75, ok: true}},
		{"too much excess", bound{row: "open-half-c50", figure: p99, over: onlyDirect, compare: excessAtMost, limit: 0.5}, verdict{measured: true, value: 0.75, ok: false}},
		{"absolute", bound{row: "idle-10000", figure: each, compare: atMost, limit: 12}, verdict{measured: true, value: 12, ok: true}},
		{"too much", bound{row: "idle-10000", figure: each, compare: atMost, limit: 11}, verdict{measured: true, value: 12, ok: false}},
		{"no such row", bound{row: "get-c1", figure: rate, over: onlyDirect}, verdict{}},
		{"no such target", bound{row: "get-c50", figure: rate, over: onlyTwemproxy}, verdict{}},
		{"steadis failed", bound{row: "get-c500", figure: rate, over: onlyDirect}, verdict{failed: true}},
		{"another target's figure", bound{row: "idle-10000", target: steadisTLS, figure: each, compare: atMost, limit: 45}, verdict{}},
	} {
		if got := tt.b.judge(&rep); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestVerdictsSumUp(t *testing.T) {
	good, bad, none := verdict{measured: true, ok: true}, verdict{measured: true}, verdict{}
	for _, tt := range []struct {
		all  []verdict
		want string
	}{
		{[]verdict{good, good}, "ok"}, {[]verdict{good, bad}, "short"}, {[]verdict{none, bad}, "short"},
		{[]verdict{good, {failed: true}}, "short"}, {[]verdict{none, none}, "not measured"}, {[]verdict{good, none}, "ok as far as measured"},
	} {
		if got := sumUp(tt.all); got != tt.want {
			t.Errorf("%v: %q", tt.all, got)
		}
	}
}
