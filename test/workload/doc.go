// Package workload loads a Redis, or a proxy before it, in a way that can be
// audited afterwards.
//
// Each writer appends 1, 2, 3 ... to a list of its own (RPUSH) over a raw
// connection of its own, never sends a value twice, and records what became of
// each. Audit then reads the lists back and says what was acknowledged and is
// gone (lost), what is there twice (doubled), what is there out of order, and
// what was never acknowledged and is there nevertheless.
//
// Nothing here retries or hides an error: what a writer sees is what an
// application without a clever client library would see.
package workload
