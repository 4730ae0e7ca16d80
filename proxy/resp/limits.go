package resp

// Limits bounds what one client may send. A field that is zero takes the value
// of DefaultLimits.
type Limits struct {
	// MaxBulk is the most bytes of one argument, as Redis' proto-max-bulk-len.
	MaxBulk int64
	// MaxArgs is the most arguments of one command. Redis allowed 1 Mi until
	// version 6.2 and INT_MAX since; the smaller number bounds our memory. More may be
	// announced, as they cost nothing before they come.
	MaxArgs int
	// MaxInline is the most bytes of a line without its end: an inline command,
	// or the header of a multibulk command (Redis' PROTO_INLINE_MAX_SIZE).
	MaxInline int
	// MaxBuffered is the most bytes of one command, as Redis'
	// client-query-buffer-limit.
	MaxBuffered int64
	// MaxInPlace is the most bytes of a command that Next hands out as it is. What
	// is longer goes around whoever reads: see Guard.TakeLarge.
	MaxInPlace int64
	// StreamFrom is how many bytes are kept of the last argument of a command that Streams
	// allows: what comes behind them is handed on as it arrives (Body). 0: all.
	StreamFrom int64
	// Streams says of a command, by its arguments but the last, whether its last one
	// may be handed on so.
	Streams func(args [][]byte) bool
	// Unauthenticated says whether the client has yet to authenticate, which puts Redis' limits
	// of 10 arguments of 16384 bytes in force. It is asked when bytes have come, and not
	// while earlier commands have not been handed out. Nil: SetUnauthenticated alone says so.
	Unauthenticated func() bool
	// Budget bounds the commands that Guards hold, of all clients together; nil: no
	// bound.
	Budget *Budget
}

// maxInPlace is the default of Limits.MaxInPlace.
const maxInPlace = 4096

// DefaultLimits returns Redis' own limits, and no Budget.
func DefaultLimits() Limits {
	return Limits{
		MaxBulk:     512 << 20,
		MaxArgs:     1 << 20,
		MaxInline:   64 << 10,
		MaxBuffered: 1 << 30,
		MaxInPlace:  maxInPlace,
	}
}

// orDefaults fills the fields that are zero.
func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	if l.MaxBulk <= 0 {
		l.MaxBulk = d.MaxBulk
	}
	if l.MaxArgs <= 0 {
		l.MaxArgs = d.MaxArgs
	}
	if l.MaxInline <= 0 {
		l.MaxInline = d.MaxInline
	}
	if l.MaxBuffered <= 0 {
		l.MaxBuffered = d.MaxBuffered
	}
	if l.MaxInPlace <= 0 {
		l.MaxInPlace = d.MaxInPlace
	}
	return l
}

// What a client may send before it has authenticated (Redis 7.0 networking.c
// processMultibulkBuffer).
const (
	unauthMaxArgs = 10
	unauthMaxBulk = 16384
)
