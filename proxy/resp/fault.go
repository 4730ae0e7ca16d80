package resp

import "strconv"

// ProtocolError is what a client did wrong. Text is Redis' own, without the
// error code: the reply is "-ERR " + Text. After it the connection is of no use,
// since where the next command begins is not known.
type ProtocolError struct {
	Text string
}

// Error returns Text.
func (e *ProtocolError) Error() string { return e.Text }

// The texts of Redis 7.0 networking.c, and two of our own for bounds that Redis
// has not, or at which it closes without a word.
var (
	errMbulkCountTooBig = &ProtocolError{"Protocol error: too big mbulk count string"}
	errMbulkLength      = &ProtocolError{"Protocol error: invalid multibulk length"}
	errUnauthMbulk      = &ProtocolError{"Protocol error: unauthenticated multibulk length"}
	errBulkCountTooBig  = &ProtocolError{"Protocol error: too big bulk count string"}
	errBulkLength       = &ProtocolError{"Protocol error: invalid bulk length"}
	errUnauthBulk       = &ProtocolError{"Protocol error: unauthenticated bulk length"}
	errInlineTooBig     = &ProtocolError{"Protocol error: too big inline request"}
	errQuotes           = &ProtocolError{"Protocol error: unbalanced quotes in request"}
)

// errExpectedBulk says which byte stood where '$' must stand. Redis maps line
// ends in error texts to spaces.
func errExpectedBulk(got byte) *ProtocolError {
	if got == '\r' || got == '\n' {
		got = ' '
	}
	return &ProtocolError{"Protocol error: expected '$', got '" + string([]byte{got}) + "'"}
}

// errCommandTooBig is for a command beyond Limits.MaxBuffered.
func errCommandTooBig(limit int64) *ProtocolError {
	return &ProtocolError{"Protocol error: steadis: the command is longer than " +
		strconv.FormatInt(limit, 10) + " bytes; send it in smaller ones"}
}

// errBudget is for a client that would take the Budget over its limit.
var errBudget = &ProtocolError{"Protocol error: steadis: query buffers of all clients exceed limits.query_memory; send less at once or raise it"}
