package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
)

// newLookup returns a lookup by Go's own resolver, which keeps nothing, at these name
// servers in turn; at the system's if there are none.
//
// IPv6 addresses are asked for only if the name certainly has no IPv4 address: a node
// with both would else seem to be two, and one answer that is lost would seem to move
// the name.
func newLookup(servers []string) func(context.Context, string) ([]netip.Addr, error) {
	var turn atomic.Uint64
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, server string) (net.Conn, error) {
		if len(servers) > 0 {
			server = servers[(turn.Add(1)-1)%uint64(len(servers))]
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, server)
		if err == nil {
			// The resolver keeps to its own time-out, of 5 s, for an answer. It knows a
			// packet connection by its type, so conn must not be wrapped.
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}}
	return func(ctx context.Context, host string) ([]netip.Addr, error) {
		addrs, err := r.LookupNetIP(ctx, "ip4", host)
		var fault *net.DNSError
		if len(addrs) == 0 && errors.As(err, &fault) && fault.IsNotFound {
			return r.LookupNetIP(ctx, "ip6", host)
		}
		return addrs, err
	}
}

// resolveAll resolves every address of the endpoint into the record: host:port each,
// sorted. One name that cannot be resolved fails all, as what is missing would look
// like what was taken out.
func resolveAll(ctx context.Context, o *Options) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*o.Node.Timeout)
	defer cancel()
	var record []string
	for _, entry := range o.Addresses {
		host, port, err := net.SplitHostPort(entry)
		if err != nil {
			return nil, err
		}
		addrs, err := o.Lookup(ctx, host)
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			record = append(record, net.JoinHostPort(a.Unmap().String(), port))
		}
	}
	if len(record) == 0 {
		return nil, errors.New("the name has no address")
	}
	slices.Sort(record)
	record = slices.Compact(record)
	return record[:min(len(record), maxRecord)], nil
}

// maxRecord bounds how many nodes a name can make us ask.
const maxRecord = 64
