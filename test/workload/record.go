package workload

import "time"

// Outcome is what became of one command.
type Outcome uint8

const (
	// Unknown: sent, and no reply that says whether it ran: the connection was
	// lost (dropped), or the load was stopped before the reply.
	Unknown Outcome = iota
	// Acknowledged: answered with the length of the list.
	Acknowledged
	// InDoubt: answered with -INDOUBT or -UNCONFIRMED; it may have run, or stayed, or
	// not.
	InDoubt
	// Refused: answered with another error, which says that it did not run.
	Refused
)

// Op is one command. The value that it appended is its index in the record
// plus 1.
type Op struct {
	Sent    time.Duration // since Record.Began; in an open loop when it was due, if that was before
	Wait    time.Duration // until the reply or, without one, until the connection was given up
	Outcome Outcome
}

// WriterRecord is what one writer did.
type WriterRecord struct {
	Key string
	Ops []Op
	// Errors counts error replies by their prefix ("INDOUBT", "LOADING").
	Errors map[string]int
	// Texts has one example of an error reply for each prefix.
	Texts map[string]string
	// Dropped counts connections that were lost while the writer used them.
	Dropped int
	// DropCauses are the errors of the drops.
	DropCauses []string
	// Redials counts attempts to connect again that failed.
	Redials int
	// InDoubtPerConn counts INDOUBT replies on each connection, in their order.
	InDoubtPerConn []int
}

// Record is what a whole load did.
type Record struct {
	Began   time.Time
	Ended   time.Time
	Writers []WriterRecord
	// ValueSize as in Options.
	ValueSize int
}

// prefixInDoubt is the class of the error by which steadis says that a write may
// or may not have run.
const prefixInDoubt = "INDOUBT"

// prefixUnconfirmed is the class of the error by which steadis in durable mode says
// that a write ran and may be lost with the master.
const prefixUnconfirmed = "UNCONFIRMED"
