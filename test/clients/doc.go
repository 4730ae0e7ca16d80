// Package clients puts real applications through real failovers: each in its own language
// and with its own library, unchanged, in front of a steadis process and a deployment of
// redis-server and Sentinel processes on loopback, whose master is killed (kill -9),
// frozen (SIGSTOP) and handed over (SENTINEL FAILOVER) while they work.
//
// programs/ holds the applications; the Flask app is the one of docker-compose.yml. What is not
// installed is left out (test/setup.sh --clients installs all of it).
//
// A program works until its standard input ends and then prints a line of JSON for each of its
// acts (report). Where it appends 1, 2, 3 ... to a list of its own, the list is audited
// here, at the master.
//
// Not tried: ioredis and redis-py's own client-side cache (5.1 and later), which Debian 12 does not have.
//
// `make clients` runs the full sizes and records them in RESULTS.md and README.md; the
// tests as they come are a short form of it.
package clients
