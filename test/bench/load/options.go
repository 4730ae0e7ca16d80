package load

import "time"

// Options describe a load. Clients connect to Addr; one of Script, FanOut and HandOff
// says what they do.
type Options struct {
	// Addr is the server, as IPv4 host:port.
	Addr string
	// Clients is the number of connections that make load.
	Clients int
	// Idle is the number of connections that do nothing.
	Idle int
	// Script is what the clients of a closed or open load send.
	Script Script
	// Depth is the number of requests that each client sends in one batch (closed), or
	// the most that it has in flight (open; 0 means any number).
	Depth int
	// Rate makes the load an open one: requests a second, of all clients together.
	Rate float64
	// FanOut makes the first client a publisher of messages of so many bytes and
	// all others subscribers.
	FanOut int
	// HandOff makes pairs of the clients: one waits with BLPOP, one pushes.
	HandOff bool
	// WarmUp is how long the load runs before the measurement, Time how long that
	// takes. A Time of 0 means until the context of Run ends.
	WarmUp, Time time.Duration
	// Traces keeps when each reply came to each client (Result.Traces). Error replies,
	// and what was read together with one, do not count.
	Traces bool
	// Tolerant makes error replies and closed connections figures of the result;
	// otherwise they end the load with an error.
	Tolerant bool
}

// Result is what a load measured, without its warm-up.
type Result struct {
	// Commands is how many were answered: messages delivered in a fan-out.
	Commands int
	// Elapsed is the time that they took.
	Elapsed time.Duration
	// Waits has one for each request, so one for all commands of a transaction.
	Waits Waits
	// Errors and Closed count error replies and connections that the server closed.
	Errors, Closed int
	// FirstError is the text of the first error reply.
	FirstError string
	// Began is the moment from which Traces count.
	Began time.Time
	// Traces are, for each client, when its replies came, in order, from the warm-up on.
	Traces [][]time.Duration
}

// Rate is in commands a second.
func (r Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Commands) / r.Elapsed.Seconds()
}

func (o Options) driver() driver {
	switch {
	case o.FanOut > 0:
		return newFanOut(o.FanOut)
	case o.HandOff:
		return &handOff{}
	case o.Rate > 0:
		return &open{script: o.Script, schedule: schedule{rate: o.Rate}, depth: o.Depth}
	}
	return &closed{script: o.Script, batch: max(1, o.Depth)}
}
