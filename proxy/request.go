package proxy

import (
	"bytes"
	"time"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// state is how far a request has come.
type state uint8

const (
	unsent state = iota // waits for its turn or for a connection
	sent                // is in flight, or with roleElsewhere under way
	done                // has its reply, which waits for the earlier ones
)

// role is what a request's reply means to its session.
type role uint8

const (
	roleCommand   role = iota // its reply goes to the client, nothing else
	rolePing                  // answered by steadis, at the moment when its turn comes
	roleGroup                 // a whole MULTI ... EXEC
	roleAdopt                 // SELECT, AUTH, HELLO: on success the session is another identity
	roleWatch                 // WATCH, UNWATCH
	roleMulti                 // a MULTI that opens a transaction
	roleQueued                // whatever comes between that and its end
	roleTxEnd                 // EXEC, DISCARD
	roleBlock                 // a blocking command
	roleSubscribe             // (un)subscribes
	roleTrack                 // CLIENT TRACKING
	roleTouch                 // CLIENT NO-TOUCH
	roleMonitor               // MONITOR
	roleInfo                  // INFO: steadis has something to add
	roleScan                  // SCAN and its kin: the cursor belongs to one master
	roleFan                   // SUBSCRIBE of a client that shares connections: is there a master?
	roleAsk                   // steadis' own answer, unless Redis has an error for it
	roleElsewhere             // answered by a goroutine that looks at other sessions
	roleRestore               // steadis' own: restores a session's state on a new connection
)

// request is one command of one client, or one whole transaction, from its
// arrival to its reply. It belongs to its session: all fields are guarded by the
// session's lock, but those that AppendWire, Frames, ErrorEnds, TakesPush,
// Trusted and Stake read, which do not change while the request is in flight.
type request struct {
	s     *Session
	batch *batch // with which it came; nil if it is no client's command
	raw   []byte
	args  [][]byte // of raw; nil for a group
	info  *command.Info

	role    role
	state   state
	held    bool  // counted as waiting in the hold
	refused bool  // steadis refused it: it was not run
	passed  bool  // dispatch has seen that it was refused
	doubt   bool  // it was sent before, and may have run (in_doubt: retry)
	mute    bool  // CLIENT REPLY says that the client gets no reply
	tries   uint8 // how often a node has said that it did not run
	losses  uint8 // how often its connection has died while the master served, up to maxLosses
	frames  int32 // replies that Redis gives
	got     int32 // replies that the client has
	skip    int32 // replies to drop because the client has had them before

	came   int64     // when, in ns since the server's start, if its latency is measured; else 0
	size   int32     // bytes, as counted by the hold and the session
	copies int32     // replies for this many commands (refused ones in a row)
	reply  []byte    // done: what to answer; a group: the frames so far
	finish bool      // close the connection behind the reply
	since  time.Time // when it was first held

	*rare // never nil; written only through own
}

// rare is what few requests need: most commands should cost little memory.
type rare struct {
	members   []*request        // of a group
	names     []string          // what an (un)subscribing request added or removed
	until     time.Time         // a blocking command's own deadline; zero means never
	asked     time.Time         // when a blocking command with a deadline was sent last
	again     bool              // a blocking command that has been sent before
	lastIDs   [][]byte          // what the `$` of an XREAD meant when it was first sent
	link      *upstream.Link    // of an adopting request: the shared link to move to
	target    upstream.Identity // of an adopting request
	name      *string           // HELLO SETNAME
	direct    bool              // of an adopting request: see adoptDirectly
	to        *Session          // of CLIENT TRACKING: who gets the messages
	aim       *upstream.Conn    // and over which connection, as raw has it
	local     bool              // inside MULTI: steadis' own answer stands in for Redis'
	inside    bool              // a CLIENT REPLY that has come behind a MULTI
	judged    bool              // what steadis is to answer Redis has found no fault with
	whole     []byte            // of an EXEC whose reply has several frames: what has come
	piece     piece             // of a restoring request: what it restores
	firstLoss time.Time         // when a connection first died under it
	lossAt    time.Time         // of the first of its losses in a row
	lossIn    uint64            // under which generation
	lastLoss  time.Time
	cursor    []byte     // of a scan: as the client sent it
	body      *resp.Body // its last argument, if that is too large to be kept
	bulky     bool       // its reply is too large for a shared connection
	parted    bool       // the client has a part of its reply
}

var plainRequest rare

// own gives the request a rare of its own, to be written.
func (r *request) own() *rare {
	if r.rare == &plainRequest {
		r.rare = new(rare)
	}
	return r.rare
}

// apart returns r, or a copy of it that has nothing of the batch with which r came.
// It must be a whole command, and in no one's hands but the caller's.
func (r *request) apart() *request {
	if r.batch == nil || len(r.batch.requests) == 1 {
		return r
	}
	c := *r
	c.batch = nil
	if len(r.raw) <= maxInPlace { // a longer one has memory of its own already
		c.raw = bytes.Clone(r.raw)
		c.args, _ = resp.AppendArgs(make([][]byte, 0, len(r.args)), c.raw)
	}
	return &c
}

// maxTries is how often a command that a node refused as no master is sent again,
// each time to a master verified anew.
const maxTries = 4

// A command whose connection dies again and again while the master serves may be the
// cause: a reply that is no RESP, for one. After aloneAfter times it is sent on a
// private connection, so that it costs only its own client's, and not at once (rest);
// after maxLosses the client is closed, as Redis' own end of the connection would have it.
const (
	aloneAfter = 2
	maxLosses  = 3
	lossTime   = 250 * time.Millisecond // the last so long after the first, or it may be one event
	lossMemory = 10 * time.Second       // a loss so long ago has another cause
)

// AppendWire implements upstream.Call.
func (r *request) AppendWire(dst []byte) []byte {
	if r.role == roleFan {
		return append(dst, pingCommand...)
	}
	return append(dst, r.raw...)
}

// Frames implements upstream.Call.
func (r *request) Frames() int { return int(r.frames) }

// ErrorEnds implements upstream.Call.
func (r *request) ErrorEnds() bool {
	return r.role == roleSubscribe || r.role == roleTxEnd || r.info == resubscribeInfo
}

// TakesPush implements upstream.PushTaker: in RESP3 the replies to SUBSCRIBE and its
// kin are pushes (Redis 7.0 pubsub.c addReplyPubsubSubscribed).
func (r *request) TakesPush(frame []byte) bool {
	return r.ErrorEnds() && isSubscribed(frame)
}

// subscribedHeads are how the replies to SUBSCRIBE and its kin begin, after the first
// byte, which is '*' or '>'.
var subscribedHeads = [][]byte{
	[]byte("3\r\n$9\r\nsubscribe\r\n"), []byte("3\r\n$11\r\nunsubscribe\r\n"),
	[]byte("3\r\n$10\r\npsubscribe\r\n"), []byte("3\r\n$12\r\npunsubscribe\r\n"),
	[]byte("3\r\n$10\r\nssubscribe\r\n"), []byte("3\r\n$12\r\nsunsubscribe\r\n"),
}

func isSubscribed(frame []byte) bool {
	for _, head := range subscribedHeads {
		if bytes.HasPrefix(frame[1:], head) {
			return true
		}
	}
	return false
}

// Trusted implements upstream.Call: the texts of scripts, of modules and of commands
// that steadis does not know prove nothing.
func (r *request) Trusted() bool {
	return r.role == roleGroup || r.role == roleRestore || r.info.Known && !r.info.Merged && !isScript(r.info)
}

// Stake implements upstream.Call.
func (r *request) Stake() upstream.Stake {
	switch r.role {
	case roleMulti:
		return upstream.Opens
	case roleTxEnd:
		if r.info.Verb == command.Exec {
			return upstream.Closes | upstream.Writes | upstream.NullIsNothing
		}
		return upstream.Closes
	case roleRestore:
		if r.piece == pieceTx {
			return upstream.Opens
		}
	case roleGroup:
		if r.repeatable() {
			return upstream.Reads
		}
		return upstream.Writes
	case roleCommand, roleInfo, roleScan, roleBlock:
		return stakeOf(r.info)
	}
	return 0
}

// stakeOf is what is at stake with a command that Redis runs at once.
func stakeOf(info *command.Info) upstream.Stake {
	switch {
	case info.NoData || isWait(info):
	case info.Class == command.Read || info.Verb == command.XRead:
		return upstream.Reads
	case info.Class == command.Write:
		return upstream.Writes
	case info.Class == command.Blocking:
		return upstream.Writes | upstream.NullIsNothing
	}
	return 0
}

// Reply implements upstream.Call.
func (r *request) Reply(frame []byte, last bool) upstream.Owner { return r.s.replied(r, frame, last) }

// ReplyRun implements upstream.Runner.
func (r *request) ReplyRun(calls []upstream.Call, frames [][]byte) (int, upstream.Owner) {
	return r.s.repliedRun(calls, frames)
}

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
