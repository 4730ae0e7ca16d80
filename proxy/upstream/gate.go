package upstream

// Gate is the data path's view of the master: where it is and whether commands
// may be sent there. It is immutable; the Pool swaps one for another.
type Gate struct {
	Open       bool
	Out        bool // closed for longer than the hold time: nobody waits any more
	Addr       string
	Generation uint64
}
