package main

var (
	onlyDirect    = []string{direct}
	bothHAProxies = []string{haproxy1, haproxy} // the faster one counts
	onlyTwemproxy = []string{twemproxy}
)

// faster is a bound on the throughput relative to other targets.
func faster(row string, limit float64, over []string, than string) bound {
	return bound{row: row, figure: rate, over: over, compare: ratioAtLeast, limit: limit, form: "%.2f", label: than}
}

const (
	ofDirect    = " of direct"
	ofHAProxy   = " x HAProxy"
	ofTwemproxy = " x twemproxy"
)

// expectations are the figures that steadis is held to, on a machine of 2 cores that
// load, proxy and Redis share.
func expectations() []expectation {
	cheaper := func(row, label string, limit float64) bound {
		return bound{row: row, figure: redisCPU, over: onlyDirect, compare: ratioAtMost, limit: limit, form: "%.2f", label: label}
	}
	absolute := func(row, target string, figure func(figures) float64, limit float64, form, label string) bound {
		return bound{row: row, target: target, figure: figure, compare: atMost, limit: limit, form: form, label: label}
	}
	each := func(f figures) float64 { return f.Each }
	first := func(f figures) float64 { return f.First }
	everyone := func(f figures) float64 { return f.Everyone }
	return []expectation{
		{"GET -P1 -c50", []bound{
			faster("get-c50", 0.85, onlyDirect, ofDirect), faster("get-c50", 1.5, bothHAProxies, ofHAProxy), faster("get-c50", 0.95, onlyTwemproxy, ofTwemproxy)}},
		{"GET -P1 -c500", []bound{
			faster("get-c500", 0.90, onlyDirect, ofDirect), faster("get-c500", 1.5, bothHAProxies, ofHAProxy)}},
		{"GET -P16 -c50", []bound{
			faster("get-P16-c50", 0.75, onlyDirect, ofDirect), faster("get-P16-c50", 1.3, bothHAProxies, ofHAProxy), faster("get-P16-c50", 1.7, onlyTwemproxy, ofTwemproxy)}},
		{"SET of 10 kB, -P1 -c50", []bound{
			faster("set-10kB-c50", 0.75, onlyDirect, ofDirect), faster("set-10kB-c50", 1.2, bothHAProxies, ofHAProxy)}},
		{"GET of 10 kB, -P1 -c50", []bound{
			faster("get-10kB-c50", 0.75, onlyDirect, ofDirect), faster("get-10kB-c50", 1.2, bothHAProxies, ofHAProxy)}},
		{"one client, -P1 -c1 (latency)", []bound{faster("get-c1", 1, bothHAProxies, ofHAProxy)}},
		{"Redis CPU a command, GET -P1", []bound{
			cheaper("get-c50", " of direct at -c50", 0.33), cheaper("get-c500", " at -c500", 0.22)}},
		{"Redis limited to a quarter of a core, -P1 -c500", []bound{faster("quarter-c500", 2.5, onlyDirect, " x direct")}},
		{"open loop at half of the direct maximum, p99", []bound{
			{row: "open-half-c50", figure: p99, over: onlyDirect, compare: excessAtMost, limit: 0.5, form: "%.2f", label: " ms above direct"}}},
		{"idle client connection, 10,000 of them", []bound{absolute("idle-10000", "", each, 20, "%.1f", " kB each")}},
		{"the same with TLS", []bound{absolute("idle-10000", steadisTLS, each, 45, "%.1f", " kB each")}},
		{"failover with 5,000 clients, 500 of them active", []bound{
			absolute("failover-5000", "", first, 50, "%.0f", " ms to the first reply"), absolute("failover-5000", "", everyone, 500, "%.0f", " ms till all are served")}},
	}
}
