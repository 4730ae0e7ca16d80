package sentinel

import (
	"context"
	"net"

	"github.com/redis/go-redis/v9"
)

// NodeClient returns a client with one connection to the Redis node at addr, as
// Options.RoleUser, with the limits on replies that this package keeps to. It dials
// once: after its first error it is of no use. ctx ends a dial under way. Of o only
// what is said about nodes is used. The caller closes the client.
func NodeClient(ctx context.Context, o *Options, addr string) *redis.Client {
	return redis.NewClient(nodeOptions(ctx, o, addr))
}

// ForNodes returns a copy of o that NodeClient takes: of what is said about nodes,
// zeros are filled in.
func (o Options) ForNodes() Options {
	fill(&o.Timeout, fallbackTimeout)
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.DialNode == nil {
		o.DialNode = o.Dial
	}
	return o
}
