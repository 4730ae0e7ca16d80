package reader

import "steadis/proxy"

// memoryShares is how many lanes limits.memory and the bounds of hold are for.
const memoryShares = 4

// laneOptions is what a lane's Server is like, where the proxy for the master is like o.
func laneOptions(o proxy.Options, standin bool) proxy.Options {
	o.Registry = nil // each lane would register the same
	o.Reader, o.Standin = true, standin
	o.Durable = proxy.Durable{}
	// Who has most is closed when memory is short, and a lane knows its own clients only. So
	// the limit is divided, among as many lanes as there are replicas in most deployments.
	o.Limits.Memory /= memoryShares
	o.HoldMaxCommands /= memoryShares
	o.HoldMaxBytes /= memoryShares
	return o
}

// Prepare checks the settings of o (proxy.Settings), and returns what puts them in force, in
// every lane that there is and will be; its Limits.Clients are for all of them together. Until that is called nothing has changed.
func (r *Reader) Prepare(o proxy.Options) (apply func(), err error) {
	next := laneOptions(o, r.o.Standin)
	for _, l := range r.list() {
		if _, err := l.server.Prepare(next); err != nil {
			return nil, err
		}
	}
	return func() { r.configure(next) }, nil
}

// configure puts in force what Prepare has checked.
func (r *Reader) configure(next proxy.Options) {
	r.changing.Lock()
	defer r.changing.Unlock()
	r.mu.Lock()
	r.server = r.server.With(next)
	r.mu.Unlock()
	for _, l := range r.list() {
		if apply, err := l.server.Prepare(next); err == nil { // Prepare has asked before
			apply()
		}
	}
}

// SetUsers replaces the users that clients of all lanes may be: proxy.Server.SetUsers.
func (r *Reader) SetUsers(users proxy.Users) {
	r.changing.Lock()
	defer r.changing.Unlock()
	r.mu.Lock()
	r.server.Users = &users
	r.mu.Unlock()
	for _, l := range r.list() {
		l.server.SetUsers(users)
	}
}

// clients is how many clients there may be, all lanes together.
func (r *Reader) clients() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.server.Limits.Clients
}
