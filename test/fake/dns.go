package fake

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS is a name server over UDP on loopback whose answers the test sets. It knows only
// the names that it was told; for any other one it says that there is none.
type DNS struct {
	conn    net.PacketConn
	done    chan struct{}
	queries atomic.Int64

	mu      sync.Mutex // guards the fields below; no I/O under it
	records map[string][]netip.Addr
	broken  bool
	mute    bool
}

// dnsTTL is what every answer says of its time to live, in seconds: long, so that a
// test sees who keeps answers.
const dnsTTL = 3600

// StartDNS starts a name server on a free port.
func StartDNS() (*DNS, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &DNS{conn: conn, done: make(chan struct{}), records: map[string][]netip.Addr{}}
	go d.serve()
	return d, nil
}

// Addr is where it listens, host:port.
func (d *DNS) Addr() string { return d.conn.LocalAddr().String() }

// Set makes name stand for these addresses; none means that there is no such name.
func (d *DNS) Set(name string, addrs ...string) {
	var parsed []netip.Addr
	for _, a := range addrs {
		parsed = append(parsed, netip.MustParseAddr(a))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records[strings.ToLower(name)] = parsed
}

// Break makes it answer SERVFAIL, or no longer.
func (d *DNS) Break(broken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = broken
}

// Mute makes it answer nothing, or no longer.
func (d *DNS) Mute(mute bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mute = mute
}

// Queries counts what it was asked.
func (d *DNS) Queries() int64 { return d.queries.Load() }

// Close ends it and waits for its goroutine.
func (d *DNS) Close() {
	_ = d.conn.Close() // nothing can be lost
	<-d.done
}

func (d *DNS) serve() {
	defer close(d.done)
	buf := make([]byte, 4096)
	for {
		n, from, err := d.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		d.queries.Add(1)
		if reply := d.answer(buf[:n]); reply != nil {
			_, _ = d.conn.WriteTo(reply, from) // who does not get it asks again
		}
	}
}

// answer makes the reply to one query; nil for none.
func (d *DNS) answer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	d.mu.Lock()
	addrs, known := d.records[strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))]
	broken, mute := d.broken, d.mute
	d.mu.Unlock()
	if mute {
		return nil
	}
	reply := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	switch {
	case broken:
		reply.RCode = dnsmessage.RCodeServerFailure
	case !known || len(addrs) == 0:
		reply.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range addrs {
		header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: dnsTTL}
		switch {
		case broken:
		case q.Type == dnsmessage.TypeA && a.Is4():
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	packed, err := reply.Pack()
	if err != nil {
		return nil
	}
	return packed
}
