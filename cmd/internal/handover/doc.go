// Package handover lets a new process take over from the one that runs: its listening
// sockets first, and then its clients, one by one, over a Unix socket that only the same
// user can open.
//
//	new                                old
//	 ── hello ────────────────────────▶   may it? (same user)
//	 ◀── offer, listening sockets ─────   goes on serving
//	 (has found the master, could serve)
//	 ── ready ────────────────────────▶   stops accepting, gives up the path
//	 ◀── taken ────────────────────────
//	 (accepts, opens the path for its own successor)
//	 ◀── script, client ... end ───────   each client at its next pause
//
// The listening sockets are the same ones, not others at the same address: whoever has
// connected and was not accepted yet stays in the queue. Until ready nothing has happened:
// a new process that fails before leaves the old one as it was. Passwords of clients go
// through the socket and are never written anywhere.
package handover
