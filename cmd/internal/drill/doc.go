// Package drill takes the master of a running deployment away while it writes
// through a proxy, and says what became of every write.
//
// A drill has rounds. Each one loads the deployment (package workload), lets the
// master go in one of three ways (trigger.go), waits until the Sentinels announce
// another one, reads every list back from that one, and waits until the deployment
// is whole again. What was measured becomes a Report by pure functions (measured.go,
// window.go), which is written as JSON, as text and as one HTML page (page.go).
//
// It needs network access to the proxy, to every Sentinel and to every Redis node.
package drill
