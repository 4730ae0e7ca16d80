package fanout

import "steadis/proxy/upstream"

// Subscriber is who has joined a Hub, a client's session. Its methods are called
// from goroutines of the pool with no lock of this package held, so that they may
// take the lock under which the subscriber itself calls its Member. They must not
// wait for anything else: all who share the connection wait for them. A result
// that is not nil is settled once the frames at hand are dealt with (upstream.Owner).
//
// All of them can come late: the subscriber has unsubscribed, cancelled or left
// while the call was waiting for its lock. Message and Subscribed bring what to ask
// then; after Leave, a subscriber drops whatever comes.
type Subscriber interface {
	// Message hands over a message for s, a RESP2 frame as Redis sent it, valid
	// until Message returns. Messages come in Redis' order. The subscriber takes its
	// lock and drops the message unless s.Live().
	Message(s *Subscription, frame []byte) upstream.Owner

	// Subscribed answers a Ticket, once, in the order of the member's tickets. With
	// refusal nil every name of it is subscribed; messages for them come after this
	// call. Else refusal is Redis' error frame, valid until Subscribed returns, and
	// what was subscribed before the ticket still is, but nothing else of it. The
	// subscriber takes its lock and does nothing unless t.Live().
	Subscribed(t *Ticket, refusal []byte) upstream.Owner

	// Gap says that the subscriptions have moved to a new connection, all of them,
	// and that messages published meanwhile are lost. It comes once for each such
	// restoration, before the tickets that waited for it are answered; the first
	// messages from the new connection may come before it.
	Gap()

	// Refused says that name is not subscribed any more, because the user may not
	// read it on this master: frame is Redis' error. Redis closes a client whose
	// right to a channel is taken away (Redis 7.0 acl.c ACLKillPubsubClientsIfNeeded).
	Refused(kind Kind, name string, frame []byte) upstream.Owner

	// Rejected says that Redis does not accept the identity any more: nothing is
	// subscribed, no ticket will be answered. The member may subscribe anew, which
	// asks Redis again.
	Rejected(frame []byte) upstream.Owner
}

// owners are several to be settled as one.
type owners []upstream.Owner

// Settle implements upstream.Owner.
func (o owners) Settle() {
	for _, owner := range o {
		owner.Settle()
	}
}

// news are calls of subscribers that became due under a line's lock, to be made
// once it is let go.
type news []func() upstream.Owner

// tell makes the calls, in order, and returns who is to be settled; nil for nobody.
func (n news) tell() upstream.Owner {
	var due owners
	for _, call := range n {
		if o := call(); o != nil {
			due = append(due, o)
		}
	}
	switch len(due) {
	case 0:
		return nil
	case 1:
		return due[0]
	}
	return due
}

// settle makes the calls and settles at once: for those who are not in a run of
// frames.
func (n news) settle() {
	if o := n.tell(); o != nil {
		o.Settle()
	}
}
