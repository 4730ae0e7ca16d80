// Package reader is the address that only reads: clients that come to it are spread over
// the replicas that the control plane finds fit (topology.ReplicaBoard).
//
// # How it is built
//
// There is one proxy.Server for each replica, a lane, and listeners that all lanes share:
// an accepted connection is handed to the lane whose replica has the fewest clients.
// What a lane's Server takes for "the master" on its Board is its replica. So all that
// steadis does when a master changes, it does when a replica fails: the lane's Board shows
// another replica, as another generation, and the sessions of the lane go on there with
// their database, user, subscriptions and what else they have; reads that were in flight
// run again, since reads are repeatable; nothing is dropped. The data path needs to know
// only that its node need not be a master (proxy.Options.Reader).
//
// The other way, one Server with a gate for each replica, would have made every session
// ask which gate is its own, on the path that all commands take.
//
// # What a session sees
//
// A session stays with its replica while that one is fit, so what it reads does not go
// back in time. If the replica fails, the session moves, and may then see a state that
// is older by up to replicas.max_lag. Replicas that come back get new connections, and no
// session that is well served elsewhere.
//
// A cursor of SCAN belongs to one replica: brought to another one, the scan begins anew.
// A scan has to use one connection for that reason. CLIENT LIST shows the clients of a
// lane.
//
// Without a fit replica the master stands in if that is allowed, and else commands are
// held as they are without a master.
package reader
