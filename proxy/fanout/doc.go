// Package fanout serves thousands of subscribers over few connections to the master.
//
// A client with subscriptions can have a connection of its own to the master, which is
// exact and costs the master a connection each. Here many share one: the master
// publishes a message once, and it is handed to every subscriber of the name.
//
//	Hubs ── one Hub per user ── a few lines, each a pinned, kept-up upstream.Link
//	            │                  │
//	         Member ───────────────┘   a subscriber's place: one line has all it has
//	            │
//	       Subscription ── topic       a name on a line, with all its subscriptions
//
// # What a client notices
//
// Nothing, as to messages: it gets what Redis would send it, in Redis' order, a message
// for each of its channels and patterns that fits, none before its SUBSCRIBE is
// confirmed and none after its UNSUBSCRIBE is. To keep the order, members are spread
// over the lines, not names: a name may be subscribed once on each line. Users do not
// mix, because Redis decides by user who may read what.
//
// What others notice: PUBLISH and PUBSUB NUMSUB count lines instead of clients, and who
// falls behind is not a client but a line, which Redis cuts off with all its members
// (client-output-buffer-limit pubsub): they have a Gap then.
//
// # Subscribe and unsubscribe
//
// A name is subscribed upstream for its first subscription and unsubscribed after its
// last. A Subscribe that needs Redis' word is a Ticket, with commands of its own, so
// that a refusal (NOPERM) concerns that ticket alone. UNSUBSCRIBE needs no answer: who
// wants the name again sends a SUBSCRIBE behind it, on the same connection, and Redis
// runs them in that order. So nothing has to be compared with what Redis last said.
//
// # A new master
//
// When the connection is lost, all that is known of it is forgotten. On the next one
// everything that has a confirmed subscription is subscribed again, in chunks, a few at
// a time; a refused chunk is halved until the culprits are found, whose subscribers are
// told (Refused). Then the others are told of the Gap, and the tickets' turn comes.
// Nothing is subscribed on a new connection before the reader of the former one has
// ended, so that messages do not overtake each other.
//
// # Locks
//
// A subscriber's own lock comes first, then a line's, then those of package upstream.
// A subscriber calls its Member with its lock held; the line calls a subscriber with
// no lock held. Between the two lies a moment in which a subscription may have ended:
// that is what Subscription.Live and Ticket.Live are for, asked under the subscriber's
// lock. Hubs' lock is taken alone.
//
// There are no goroutines: everything happens in those of the pool, in callers', and
// in Tick.
package fanout
