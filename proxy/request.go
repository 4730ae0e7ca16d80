package proxy

import (
	"time"

	"steadis/proxy/command"
	"steadis/proxy/upstream"
)

// state is how far a request has come.
type state uint8

const (
	unsent state = iota // waits for its turn or for a connection
	sent                // is in flight
	done                // has its reply, which waits for the earlier ones
)

// role is what a request's reply means to its session.
type role uint8

const (
	roleCommand   role = iota // its reply goes to the client, nothing else
	rolePing                  // answered by steadis, at the moment when its turn comes
	roleGroup                 // a whole MULTI ... EXEC
	roleAdopt                 // SELECT, AUTH, HELLO: on success the session moves to another link
	roleTx                    // a command on a pinned connection with MULTI or WATCH
	roleTxEnd                 // EXEC, DISCARD or UNWATCH there
	roleBlock                 // a blocking command on a connection of its own
	roleSubscribe             // (un)subscribes
	roleRestore               // steadis' own: restores a session's state on a new connection
)

// request is one command of one client, or one whole transaction, from its
// arrival to its reply. It belongs to its session: all fields are guarded by the
// session's lock, but those that AppendWire, Frames, ErrorEnds and Trusted read,
// which do not change while the request is in flight.
type request struct {
	s    *Session
	raw  []byte
	args [][]byte // of raw; nil for a group
	info *command.Info

	role    role
	state   state
	held    bool  // counted as waiting in the hold
	refused bool  // steadis refused it: it was not run
	passed  bool  // dispatch has seen that it was refused
	doubt   bool  // it was sent before, and may have run (in_doubt: retry)
	tries   uint8 // how often a node has said that it did not run
	frames  int32 // replies that Redis gives
	got     int32 // replies that the client has
	skip    int32 // replies to drop because the client has had them before

	size   int32     // bytes, as counted by the hold and the session
	copies int32     // replies for this many commands (refused ones in a row)
	reply  []byte    // done: what to answer; a group: the frames so far
	finish bool      // close the connection behind the reply
	since  time.Time // when it was first held

	*rare // never nil; written only through own
}

// rare is what few requests need: most commands should cost little memory.
type rare struct {
	members []*request        // of a group
	names   []string          // what an (un)subscribing request added or removed
	until   time.Time         // a blocking command's own deadline; zero means never
	again   bool              // a blocking command that has been sent before
	link    *upstream.Link    // of an adopting or blocking request
	target  upstream.Identity // of an adopting request
	name    *string           // HELLO SETNAME
}

var plainRequest rare

// own gives the request a rare of its own, to be written.
func (r *request) own() *rare {
	if r.rare == &plainRequest {
		r.rare = new(rare)
	}
	return r.rare
}

// maxTries is how often a command that a node refused as no master is sent again,
// each time to a master verified anew.
const maxTries = 4

// AppendWire implements upstream.Call.
func (r *request) AppendWire(dst []byte) []byte { return append(dst, r.raw...) }

// Frames implements upstream.Call.
func (r *request) Frames() int { return int(r.frames) }

// ErrorEnds implements upstream.Call.
func (r *request) ErrorEnds() bool { return r.role == roleSubscribe || r.info == resubscribeInfo }

// Trusted implements upstream.Call: the texts of scripts and of commands that
// steadis does not know prove nothing.
func (r *request) Trusted() bool {
	return r.role == roleGroup || r.role == roleRestore || r.info.Known && !isScript(r.info)
}

// Reply implements upstream.Call.
func (r *request) Reply(frame []byte, last bool) upstream.Owner { return r.s.replied(r, frame, last) }

// Lost implements upstream.Call.
func (r *request) Lost(fate upstream.Fate) upstream.Owner { return r.s.lost(r, fate) }

// repeatable says whether running the request twice is harmless.
func (r *request) repeatable() bool {
	if r.role != roleGroup {
		return r.info.Repeatable
	}
	for _, m := range r.members {
		if !m.info.Repeatable && m.info.Class != command.Transaction {
			return false
		}
	}
	return true
}

// isScript says whether the command runs code that may answer any text.
func isScript(info *command.Info) bool {
	switch info.Verb {
	case command.Eval, command.EvalSha, command.EvalRO, command.EvalShaRO, command.FCall, command.FCallRO:
		return true
	}
	return false
}
