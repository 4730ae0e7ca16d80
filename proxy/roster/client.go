package roster

import "time"

// noAddr is what Redis shows for an address that the system does not tell (Redis
// 7.0 anet.c anetFdToString).
const noAddr = "?:0"

// Client is one client at one moment, as CLIENT LIST shows it. The zero value is an
// idle, unnamed client. Counts and sizes are not negative; sizes are in bytes. What
// is text has no blanks: names by ValidName, SetInfo's values by ParseSetInfo.
type Client struct {
	ID uint64
	// Addr is the peer's address and LAddr the one that it connected to: ip:port, an
	// IPv6 address in brackets and without a zone. For a Unix socket both are what
	// UnixAddr makes of the socket's path, so all clients of that socket share one
	// address. "" is shown, and found by KILL, as ?:0.
	Addr, LAddr string
	FD          int
	Name        string
	// Age is how long the client is connected, Idle how long ago its last command
	// came. Both are shown in whole seconds.
	Age, Idle       time.Duration
	DB              int
	Sub, PSub, SSub int // channels, patterns and shard channels subscribed to

	// Multi is how many commands MULTI has queued. Without InMulti -1 is shown,
	// whatever it says.
	Multi int
	// Watch is how many keys are watched. Redis shows it from 7.4 on, so AppendLine
	// does not.
	Watch int

	QBuf, QBufFree    int64 // the query buffer: used, free
	ArgvMem, MultiMem int64 // arguments of the command being read, of those queued
	RBS, RBP          int64 // the reply buffer: size, most used lately
	OBL, OLL, OMem    int64 // replies waiting: in the buffer, in the list (a count), the list's memory
	TotMem            int64

	// Events are the socket's: "", "r", "w" or "rw".
	Events string
	// Cmd is the last command's full name in lower case, as client|list. "" is shown
	// as NULL.
	Cmd string
	// User is the ACL user's name, "default" for a client that has not named one. ""
	// is a client of no user, shown as (superuser); KILL USER does not find it.
	User string
	// Redir is the client that CLIENT TRACKING redirects to, 0 for none. Without
	// Tracking -1 is shown, whatever it says.
	Redir int64
	// Resp is the protocol version, 2 or 3.
	Resp            int
	LibName, LibVer string

	// Kind says whether the client is a replica (letter S) or a master (M).
	// KindPubSub and PubSub each imply the other for what is neither.
	Kind Kind

	// The other letters of the field flags, in its order.
	Monitor         bool // O; stands in for S
	PubSub          bool // P
	InMulti         bool // x
	Blocked         bool // b: in a blocking command
	Tracking        bool // t
	BrokenRedirect  bool // R: the client that Redir names is gone
	Broadcast       bool // B: tracking in BCAST mode
	DirtyCAS        bool // d: a watched key was changed, EXEC will fail
	CloseAfterReply bool // c
	Unblocked       bool // u: just unblocked, what came meanwhile is still to be read
	CloseASAP       bool // A
	Unix            bool // U: connected by a Unix socket
	ReadOnly        bool // r: READONLY in a cluster
	NoEvict         bool // e
	NoTouch         bool // T: from Redis 7.2 on
}

// kind is what TYPE selects by (Redis 7.0 networking.c getClientType).
func (c *Client) kind() Kind {
	switch {
	case c.Kind == KindMaster:
		return KindMaster
	case c.Kind == KindReplica && !c.Monitor:
		return KindReplica
	case c.PubSub || c.Kind == KindPubSub:
		return KindPubSub
	}
	return KindNormal
}

// UnixAddr returns the address that Redis shows for a client of the Unix socket at
// path, both as addr and as laddr. Redis cuts it at 77 bytes (Redis 7.0 networking.c
// genClientAddrString, server.h NET_ADDR_STR_LEN).
func UnixAddr(path string) string {
	const most = 77
	addr := path + ":0"
	return addr[:min(len(addr), most)]
}

// or returns s, or instead if s is empty.
func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
