package upstream

import (
	"errors"
	"io"
)

// Fate is what is known of a call whose reply will not come.
type Fate uint8

const (
	// NotSent: not a byte of it was handed to the network. It may be sent again.
	NotSent Fate = iota
	// NotExecuted: it was sent, and an answer of the node proves that it did not
	// run (READONLY and its kin). It may be sent again.
	NotExecuted
	// InDoubt: it was sent, and whether it ran cannot be known.
	InDoubt
	// Withheld: it ran and was answered, but the master was given up before it was sure
	// that the effect survives.
	Withheld
	// Unconfirmed: it ran, and fewer replicas than asked for have it. The connection
	// goes on.
	Unconfirmed
)

// String gives the fate in the word that logs and metrics use.
func (f Fate) String() string {
	return [...]string{"not_sent", "not_executed", "in_doubt", "withheld", "unconfirmed"}[f]
}

// ErrNotSent says that a connection takes no calls now: it is closed, paused or
// being drained. Nothing was queued; the caller may wait for the link
// (Link.Await) and send the same calls again.
var ErrNotSent = errors.New("upstream: not sent")

// Call is one command, or several that belong together, on its way to the
// master. A Conn calls its methods from its own goroutines, in the order of the
// calls on that connection, with no lock of its own held. For each call that
// Send accepted exactly one of these ends it: Reply with last set, or Lost.
type Call interface {
	// AppendWire appends the bytes to send to dst. It is called once, under the
	// connection's lock, by Send.
	AppendWire(dst []byte) []byte
	// Frames returns how many reply frames end the call, at least 1.
	Frames() int
	// ErrorEnds says that an error, or a null, as the first frame is the only one,
	// whatever Frames said: SUBSCRIBE a b has two replies, or one error.
	ErrorEnds() bool
	// Trusted says that an error reply's prefix is Redis' own word. A script can
	// return any text as an error, so READONLY from one proves nothing about the
	// other calls on the connection.
	Trusted() bool
	// Stake says what is at stake. Send calls it under the connection's lock, too.
	Stake() Stake
	// Reply hands over the next frame; last says that it ends the call. The frame
	// is valid only until Reply returns. The result, if not nil, is an Owner to be
	// settled once the frames at hand are dealt with.
	Reply(frame []byte, last bool) Owner
	// Lost says that no (further) reply will come. The result is as Reply's.
	Lost(fate Fate) Owner
}

// PushTaker is a Call that RESP3 pushes may answer: SUBSCRIBE, and an EXEC with one
// in it. All other pushes go to the link's owner.
type PushTaker interface {
	TakesPush(frame []byte) bool
}

// Streamer is a Call whose wire bytes may go on behind those of AppendWire.
type Streamer interface {
	// Stream returns what follows, or nil. It is read by the connection's writer until
	// io.EOF; any other error ends the connection. Close is called when the connection has
	// ended, at the same time as Read, which must then return. Such a call must be the last
	// one of its Send, on a connection of a pinned link, with no other Send before its reply.
	Stream() io.ReadCloser
}

// Treatment is what becomes of a reply that is too large to be kept.
type Treatment uint8

const (
	// Keep: it is kept all the same, until it is whole.
	Keep Treatment = iota
	// HandOn: it is handed on in parts as it comes (PartTaker.Part).
	HandOn
	// Drop: the rest is dropped, and the call NotSent: it is to be sent over another
	// connection. This one takes no further calls.
	Drop
)

// PartTaker is a Call whose reply need not be kept until it is whole.
type PartTaker interface {
	// Large is asked when LargeReply bytes of the reply have come and more are to come.
	// private says that no other client's calls are on the connection.
	Large(private bool) Treatment
	// Part hands over the next part of the reply; last says that it ends there, and so
	// does the call. It may wait for the client. The result is as Reply's.
	Part(part []byte, last bool) Owner
}

// LargeReply is the size from which a reply need not be kept, in bytes.
const LargeReply = 4 << 20

// Owner is who stands behind calls, a client.
type Owner interface {
	// Settle is called once after a run of Reply and Lost that returned the
	// Owner: now is the time to write to the client and to send what waits.
	Settle()
}

// settleAll settles each owner and empties the list, keeping its memory.
func settleAll(owners []Owner) []Owner {
	for i, o := range owners {
		o.Settle()
		owners[i] = nil
	}
	return owners[:0]
}
