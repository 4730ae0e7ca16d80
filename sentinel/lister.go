package sentinel

import (
	"context"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Lister asks one Sentinel for the replicas of the master, over a connection that it
// keeps. List is for one goroutine at a time.
type Lister struct {
	o      *Options
	addr   string
	client *redis.SentinelClient
}

// NewLister returns a Lister for the Sentinel at addr. It opens no connection.
func NewLister(o *Options, addr string) *Lister { return &Lister{o: o, addr: addr} }

// List gives the replicas that the Sentinel lists and does not think to be down, as
// addresses to dial. It takes two timeouts at most.
func (l *Lister) List(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*l.o.Timeout)
	defer cancel()
	if l.client == nil {
		l.client = redis.NewSentinelClient(sentinelOptions(context.WithoutCancel(ctx), l.o, l.addr))
	}
	client := l.client
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	rows, err := client.Replicas(ctx, l.o.Master).Result()
	if err != nil {
		l.Close()
		return nil, err
	}
	var replicas []string
	for _, row := range rows {
		addr, ok := l.o.dialable(row["ip"], row["port"])
		if ok && !listedAsDown(row["flags"]) && len(replicas) < maxListed {
			replicas = append(replicas, addr)
		}
	}
	return replicas, nil
}

// Close ends the connection. The Lister may be used again.
func (l *Lister) Close() {
	if l.client != nil {
		_ = l.client.Close() // it was only read from
		l.client = nil
	}
}

// maxListed bounds how many replicas one list can make us ask.
const maxListed = 64

func listedAsDown(flags string) bool {
	for flag := range strings.SplitSeq(flags, ",") {
		switch flag {
		case "s_down", "o_down", "disconnected":
			return true
		}
	}
	return false
}

// Dialable turns an address as a node announces it into the one to dial; ok is false if it
// cannot be one.
func (o *Options) Dialable(addr string) (dial string, ok bool) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", false
	}
	return o.dialable(host, port)
}
