package upstream

// Stake says what is at stake if the master that ran a call is lost, and what the
// call does to the connection's transaction.
type Stake uint8

const (
	// Reads: the reply shows data.
	Reads Stake = 1 << iota
	// Writes: it may have changed data.
	Writes
	// Opens: from here on Redis queues what comes on this connection (MULTI).
	Opens
	// Closes: Redis runs or drops what it has queued (EXEC, DISCARD).
	Closes
	// NullIsNothing: a null as the reply says that nothing was written (a blocking pop, an EXEC).
	NullIsNothing
)

// after is what is at stake still, by the frame that has come.
func (s Stake) after(frame []byte) Stake {
	if s&NullIsNothing != 0 && isNull(frame) {
		return s &^ (Reads | Writes)
	}
	return s
}

// Durability says when a reply may be believed. It is not changed.
type Durability struct {
	Replicas int    // that must have a write, at least 1
	Timeout  string // of WAIT, in ms
	Reads    bool   // replies to reads wait too: what they show must be on replicas
}

// worth is the part of a stake for which a barrier is needed.
func (d *Durability) worth(s Stake) Stake {
	if d == nil {
		return 0
	}
	if d.Reads {
		return s & (Reads | Writes)
	}
	return s & Writes
}
