package upstream

// Figures says in numbers what connections a Pool has.
type Figures struct {
	// Shared connections carry the commands of many clients, private ones those of one;
	// spare ones lie idle until a client needs one of its own.
	Shared  int `json:"shared"`
	Private int `json:"private"`
	Spare   int `json:"spare"`
	// InFlight counts the calls that were handed to a connection and are not answered.
	InFlight int `json:"in_flight"`
	// Made counts the connections that were made since the start.
	Made uint64 `json:"made"`
}

// Figures returns what connections there are now. It takes the lock of each, so it is for
// those who ask once in a while.
func (p *Pool) Figures() Figures {
	f := Figures{Made: p.dialled.Load()}
	for _, l := range p.links() {
		kind := &f.Shared
		switch {
		case l.pinned && l.idle():
			kind = &f.Spare
		case l.pinned:
			kind = &f.Private
		}
		for _, c := range l.conns() {
			*kind++
			f.InFlight += c.owing()
		}
	}
	return f
}

// idle says of a pinned link that nobody has it.
func (l *Link) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owner == nil
}

// owing returns how many calls the connection has to answer.
func (c *Conn) owing() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inflight.Len()
}
