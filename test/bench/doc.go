// Bench compares the ways to reach one Redis: directly, through steadis, and through
// HAProxy (TCP mode), twemproxy and predixy. `make bench` runs it.
//
// All targets stand before the same Redis and are measured in turn within one run:
// each row is repeated several times, each time every target once, in rotating
// order, so that what else the machine does hits all of them alike. What is shown
// are medians.
//
// rows.go lists what is measured, expectations.go what must come out of it. Load
// comes from redis-benchmark and from package load. CPU times are those that the
// kernel counts for the processes of Redis and of the proxy (/proc/PID/stat).
package main
