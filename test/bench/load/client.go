package load

import "time"

// client is one connection. Only the loop touches it.
type client struct {
	id     int
	fd     int
	out    []byte // what the socket did not take yet
	parser parser
	gone   bool // the server closed it

	asked    int             // requests sent so far, all its life
	replies  int             // replies of the request under way that have come
	left     int             // requests of the batch under way that are not answered
	sentAt   time.Duration   // when the batch was sent
	inFlight []time.Duration // open loads: when the requests in flight fell due
	waiting  []time.Duration // open loads: when those fell due that wait for their turn
	trace    []time.Duration // when replies came, if the load keeps traces
}

// whole takes n replies and gives the number of requests that they complete.
func (c *client) whole(n, each int) int {
	c.replies += n
	done := c.replies / each
	c.replies %= each
	return done
}
