// Package failover holds the figures that steadis promises, as tests of the real
// program against real Redis and Sentinel processes: what happens to an
// application's commands when the master is killed, frozen or replaced.
//
// TEST_ROUNDS says how often each failover is repeated (default 2); with
// TEST_RESULTS=FILE the measured figures are written to FILE as a table.
// `make failover ROUNDS=20` does both and records test/failover/RESULTS.md.
package failover
