// Package replicas finds out which replicas reads may go to, and publishes them on a
// topology.ReplicaBoard.
//
// Who is asked. Candidates are the replicas that a majority of the configured Sentinels
// lists (and does not flag as down), those that the master itself lists as online, and
// with discovery static the other nodes. One that nobody lists any more is forgotten
// after a while; while the listers are silent, their last lists stand. So no single
// Sentinel can have steadis' password sent to an address of its choice, or reads.
//
// Who is fit. A replica is fit while it answers, says that it is a replica, is not
// being given a whole copy, and lacks nothing that is older than MaxLag. That lag is
// measured, not believed: the master is asked for its offset again and again, and a
// replica whose offset is at least that, in the same history (replication id), has all
// that the master had when it was asked. master_last_io_seconds_ago says less: it is 0
// on a replica that is far behind, and up to 10 on one that an idle master has nothing
// to tell. So a replica whose link is down stays fit for MaxLag at most, or as long as
// nothing is written; the same holds for all of them while there is no master, so that
// reads go on during a failover. One that comes, or comes back, needs its link.
//
// What is promoted leaves at once, as it says that it is a master then.
//
// How it is built: as package discovery, a pure core (state.go) and a loop (watcher.go).
package replicas
