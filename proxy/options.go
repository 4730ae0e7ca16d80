package proxy

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/proxy/command"
	"steadis/sentinel/topology"
)

// InDoubt is what a client gets for a write that was sent and lost its reply.
type InDoubt uint8

const (
	// InDoubtClose closes the client's connection: what it would have seen from
	// Redis itself, and what its library is built to handle.
	InDoubtClose InDoubt = iota
	// InDoubtError answers -INDOUBT and keeps the connection.
	InDoubtError
	// InDoubtRetry runs the write again, at least once in all.
	InDoubtRetry
)

// ParseInDoubt reads the option's value: close, error or retry.
func ParseInDoubt(s string) (InDoubt, error) {
	switch s {
	case "close":
		return InDoubtClose, nil
	case "error":
		return InDoubtError, nil
	case "retry":
		return InDoubtRetry, nil
	}
	return 0, fmt.Errorf("in_doubt is %q; it must be close, error or retry", s)
}

// Options configure a Server.
type Options struct {
	Board    *topology.Board       // where the master is; required
	Log      *zap.Logger           // nil: nothing is logged
	Registry prometheus.Registerer // nil: nothing is registered
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	// Secure does a TLS handshake on what Dial, or its default, has connected to addr; nil: there is no
	// TLS. It closes nc if it fails, and is bounded by ctx, that is Upstream.DialTimeout.
	Secure     func(ctx context.Context, nc net.Conn, addr string) (net.Conn, error)
	MasterName string // Sentinel's name for the master, for error texts
	Version    string
	Commands   command.Policy // which commands pass beside the usual ones, and which do not

	Hold            time.Duration // longest time without a master that commands wait for one
	HoldMaxCommands int           // commands waiting, all clients together
	HoldMaxBytes    int64         // their bytes
	InDoubt         InDoubt
	Durable         Durable
	// Replace has another master made than that of a generation, which has restarted without the
	// data that it had, and returns nil once that one is followed. ctx bounds it. nil: such a master
	// is served as it is, and nobody looks.
	Replace func(ctx context.Context, generation uint64, reason string) error

	// Reader makes the Server one of replicas: the node that Board shows need not be a master,
	// commands that write are refused as a replica refuses them, and READONLY is an answer
	// like any other. With Standin that node may be the master itself, so that scripts that
	// might write are refused too.
	Reader, Standin bool
	// Shared is what other Servers use up with this one; nil: it has the limits alone.
	Shared *Shared

	// Users are who clients may be, whose commands all run as the user of Upstream; nil:
	// clients are Redis' users, and the master judges their passwords.
	Users *Users

	Upstream UpstreamOptions
	Limits   Limits
	// SocketsStay says that listening sockets live on when the Server closes them, as those
	// of a service manager do: who waits to be accepted waits for the next process.
	SocketsStay bool
	Drain       time.Duration // longest time that a shutdown waits for commands under way; 0 does not wait
}

// Durable says how many replicas must have what a client is told (proxy/upstream Durability).
type Durable struct {
	Replicas int           // 0: none; replies are given at once
	Timeout  time.Duration // longest time that replicas are waited for, whole ms; < Options.Hold
	AnyReads bool          // reads do not wait: they may show what is lost later
}

// UpstreamOptions are about the connections to the master.
type UpstreamOptions struct {
	User, Password string        // for steadis' own ROLE and PING only
	Subscribers    int           // clients that have a connection of their own to subscribe on; the others share
	Connections    int           // shared ones for each user, database and protocol
	Dials          int           // of connections of a client's own, under way at one time
	DialRate       int           // of these, begun in a second; 0: no bound
	DialTimeout    time.Duration // a dial and its handshake
	Heartbeat      time.Duration // how often the master is asked whether it lives
}

// Limits bound what clients may use.
type Limits struct {
	Clients     int   // connections
	Pipeline    int   // one client's commands under way before it is not read any more
	Output      int64 // bytes of replies that one client has not read
	Memory      int64 // bytes of these and of commands under way, all clients together
	QueryMemory int64 // bytes of unfinished commands, all clients together
	Bulk        int64 // bytes of one argument

	PubSubOutput   int64         // as Output, of a client that has subscribed
	PubSubSoft     int64         // bytes that it may not read for PubSubSoftTime
	PubSubSoftTime time.Duration // 0: not at all

	Idle      time.Duration // without a command; 0: for ever
	Keepalive time.Duration // silence before TCP probes; 0: never
}

// orDefaults fills what may be left out in tests and by embedders; the binary's
// defaults stand in config/default.yaml.
func (o Options) orDefaults() Options {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Dial == nil {
		o.Dial = Hedged(dialTCP)
	}
	if o.Secure != nil {
		o.Dial = secured(o.Dial, o.Secure)
	}
	fill(&o.Hold, 30*time.Second)
	fill(&o.HoldMaxCommands, 100_000)
	fill(&o.HoldMaxBytes, 256<<20)
	fill(&o.Upstream.Connections, 2)
	fill(&o.Upstream.Subscribers, defaultSubscribers)
	fill(&o.Upstream.DialTimeout, time.Second)
	fill(&o.Upstream.Heartbeat, time.Second)
	fill(&o.Limits.Clients, defaultClients)
	fill(&o.Limits.Pipeline, 10_000)
	fill(&o.Limits.Output, 64<<20)
	fill(&o.Limits.QueryMemory, defaultQueryMemory)
	fill(&o.Limits.Bulk, 512<<20)
	fill(&o.Limits.Memory, 1<<30)
	if o.Shared == nil {
		o.Shared = NewShared(o.Limits)
	}
	if o.Limits.PubSubOutput == 0 {
		o.Limits.PubSubOutput = o.Limits.Output
	}
	return o
}

const (
	defaultClients     = 10_000
	defaultQueryMemory = 256 << 20
)

func fill[T int | int64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}
