// Package faults breaks a whole deployment in every way that its machines and
// networks can break, under load, and counts what became of each write.
//
// Every process has a host of its own: a network namespace where the machine
// allows it, else an address of loopback with relays between (test/topology,
// Network). A round plays one fault (the tables in fault_*_test.go), and its
// history is held against three referees: the list-append audit of
// test/workload, porcupine (is the history linearizable?), and the clock (how
// long until everybody was served again).
//
// Variables:
//
//	TEST_FAULTS   which faults: a regular expression over their names; default
//	              the short ones; "." for all
//	TEST_MODES    which modes: a regular expression over their names; default
//	              steadis' own modes; "." adds those to compare with
//	TEST_ROUNDS   rounds of each fault; default 1. From 20 on the faults that say so
//	              are played more often (fault.often), those to compare with less
//	TEST_LANES    deployments to play on at the same time, each in a process and a
//	              network namespace of its own; default 1. A lane takes about a
//	              quarter of a core
//	TEST_SEED     order and random times; default 1
//	TEST_NETWORK  namespaces (it is an error if there are none) or relays
//	TEST_RESULTS  the document to write the figures to (test/failover/RESULTS.md)
//	TEST_HISTORY  directory for the history of each round, as JSON lines; default:
//	              only of rounds that failed, in a temporary directory
package faults
