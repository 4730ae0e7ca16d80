// Package sentinel finds out who is the master: it asks every Redis Sentinel,
// listens to their events, decides, and publishes the outcome on a
// topology.Board. It knows nothing of the data path that reads the board.
//
// What it promises:
//
//   - No single Sentinel, stale, isolated or lying, moves traffic: a move needs a
//     majority of the configured Sentinels and the new node's own ROLE
//     (quorum.go, follow.go). One alone can make commands wait, for a bounded
//     time (hold.go).
//   - Traffic never goes back to a deposed master, even while that one still says
//     that it is master, which it does for about 10 s after a switch (follow.go).
//   - From the first sign of a failover the view is Holding, so that nothing is
//     acknowledged that the new master will not have.
//   - Losing every Sentinel while serving changes nothing: the last view stands.
//
// How it is built: one session per Sentinel (session.go, two goroutines: one
// listens, one asks) turns what it sees into small inputs; the loop of a Watcher
// (watcher.go) hands them one by one to a pure core (state.go), which returns
// effects: publish this view, ask that node for its ROLE, ask the Sentinels now.
// The core has no goroutine, socket, clock or logger, and its tests are scripts
// of real failovers (testdata/scripts).
//
// What it costs: two connections per Sentinel, two small questions per second
// and Sentinel, ten times as many while something looks odd.
//
// How many Sentinels to configure: three or more, on machines of their own. Of
// two, both must agree, unless a third one that both list can be reached; of one,
// that one is trusted.
package sentinel
