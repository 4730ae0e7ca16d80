// Package discovery finds out who is the master where there is no Sentinel, and
// publishes it on a topology.Board, as package sentinel does where there are some.
//
// There is an endpoint, one or more addresses that the master is looked for at:
//
//   - nodes (static), for development: each address is a node;
//   - a name (Resolves), for managed services such as AWS ElastiCache with several
//     zones: a DNS name that the service points at another node when it promotes one.
//     It is asked for again and again, whatever its TTL says, as the Go resolver keeps
//     nothing. What it stands for is called the record.
//
// What it promises:
//
//   - Nobody is followed who does not say itself that it is a master (ROLE, or INFO
//     replication where ROLE is refused: package node).
//   - Both orders of a managed failover are understood: the record may change before
//     the new node is promoted, or after it. From the first sign of either, the
//     master's READONLY or the record's change, the view is Holding.
//   - Traffic does not go back to a deposed master while it has not been seen as a
//     replica, unless the record has stood for backwardFor: a resolver with an old
//     record must not move anybody to a node that has not noticed its demotion.
//   - Losing the name servers, or a record that leads nowhere, changes nothing for
//     good: the last record, and the last view, stand.
//
// What it cannot promise: there is nobody here who votes. One record and the word of
// the node that it leads to are enough to move traffic, as they are for any client of
// such a service.
//
// How it is built: a pure core (state.go) takes what was resolved, what nodes said and
// what the data path doubts, and returns effects; a loop (watcher.go) carries them out.
package discovery
