package resp

// Limits bounds what one client may send. A field that is zero takes the value
// of DefaultLimits.
type Limits struct {
	// MaxBulk is the most bytes of one argument, as Redis' proto-max-bulk-len.
	MaxBulk int64
	// MaxArgs is the most arguments of one command. Redis allowed 1 Mi until
	// version 6.2 and INT_MAX since; the smaller number bounds our memory.
	MaxArgs int
	// MaxInline is the most bytes of a line without its end: an inline command,
	// or the header of a multibulk command (Redis' PROTO_INLINE_MAX_SIZE).
	MaxInline int
	// MaxBuffered is the most bytes of one command, as Redis'
	// client-query-buffer-limit.
	MaxBuffered int64
	// Budget bounds the unfinished commands of all clients together; nil: no bound.
	Budget *Budget
}

// DefaultLimits returns Redis' own limits, without a Budget.
func DefaultLimits() Limits {
	return Limits{
		MaxBulk:     512 << 20,
		MaxArgs:     1 << 20,
		MaxInline:   64 << 10,
		MaxBuffered: 1 << 30,
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
	return l
}

// What a client may send before it has authenticated (Redis 7.0 networking.c
// processMultibulkBuffer).
const (
	unauthMaxArgs = 10
	unauthMaxBulk = 16384
)
