// Package proxy is the data path: a client's connection from accept to close, and
// every command on it from its arrival to its reply, across masters.
//
// # How a command travels
//
//	client ─▶ resp.Guard ─▶ clientConn ─▶ Session.submit ─▶ queue ─▶ dispatch ─▶ upstream.Link ─▶ master
//	client ◀──────── output ◀──── Session.replied ◀──────────────────────── upstream.Conn ◀──┘
//
// redcon accepts, and hands each client over (client.go): one loop for each thread reads all
// clients that have sent something, and who needs patience has a goroutine of its own (loop.go). The
// guard lets only whole, legal commands through, because redcon can be killed by one
// packet, and they come as one batch, read by one system call (inlet.go, package sysio). Who reads
// never waits for a reply: it queues the batch in the client's Session and sends
// what can be sent over a pipelined connection that many clients share. That
// connection's reader hands each reply to its Session, which writes it to the
// client's socket. So nobody is woken for a reply, and one write carries the
// commands of many clients: that is the speed. A client that does not read stalls
// nobody; its output is bounded. With one thread, sessions have their turn in the order
// in which their commands came (loop.go, turns.go). What stops a shared connection for long, a
// pause or a script, moves every session to a private one (apart.go).
//
// # Which rule keeps which promise
//
// Order. A session's commands in flight are all on one connection; whatever needs
// another one waits until nothing is in flight. Replies of steadis' own (PING,
// CLIENT SETNAME, errors) take their place in the queue.
//
// The gate. One goroutine, the conductor, follows the Board's views. While a view
// serves and its master has proved itself (a Pilot: ROLE, PING), the gate is open.
// Else it is shut: every connection is paused, what was not handed to the network
// comes back (upstream.NotSent), and sessions wait at their links, in order, within
// the bounds of hold.Buffer, which counts each of them in and out. At a new
// generation all former connections are retired by number; nothing ever searches
// for an address.
//
// Fate. A call that gets no reply has one of three fates, and only the connection
// decides which: not sent, not executed (the node's own word), in doubt. The first
// two are sent again, in their place in the queue. In doubt, a repeatable command
// is sent again; a write gets what in_doubt says. One under which connections end again
// and again while the master serves is given up at its third, and none is sent again for
// longer than the hold time (fate.go).
//
// Belief. A reply counts only if its effect survives. In durable mode a connection keeps
// replies back until a WAIT behind them is answered; in every mode what a master answers
// long after it was paused is kept back until it is paused no more (upstream barrier.go).
// If the connection ends first, they are in doubt.
//
// Large values are not kept: they go on in pieces, over a connection of their own
// (stream.go).
//
// State. A link is made for an Identity (user, database, protocol): its
// connections reach it by their handshake, on any master. SELECT, AUTH and HELLO
// are sent over the link of the identity that they ask for, or over a private one if
// Redis has not accepted it before, so that Redis itself judges them. State that
// cannot be shared (WATCH, MULTI, blocking commands, subscriptions, tracking,
// MONITOR) gives the session a private link, its pin, over which all of its commands
// go for so long. What must be there before the next command on a new connection goes
// out in front of it (pin.restore), piece by piece; a session that waits for what comes
// unasked restores it without a command (pin.refresh). Subscribers beyond the first few
// share connections (package fanout).
//
// Redis' word. Whatever Redis can judge it judges: arity, ACL, types, unknown commands.
// What steadis answers itself stands in errors.go and clients.go, and even then the
// master gets the command where it does no harm, so that its ACL and its figures hold.
//
// # Readers
//
// With Options.Reader the node is a replica: it need not be a master, READONLY is an
// answer, and writes are refused here (readonly.go). Package reader runs one such Server
// for each replica.
//
// # What it must not know
//
// Sentinels: this package imports sentinel/topology and nothing else of that side.
//
// Later steps have their places: a per-connection ledger that resolves writes in
// doubt would wrap a request's wire bytes (request.AppendWire, Frames); pushes to
// RESP3 clients go through Session.write.
package proxy
