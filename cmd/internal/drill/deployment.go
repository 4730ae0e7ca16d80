package drill

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"steadis/test/workload/wire"
)

// view is the deployment as its Sentinels and nodes describe it at one moment.
type view struct {
	sentinels []opinion
	// roles has what each node says of itself, by address.
	roles map[string]role
}

// opinion is what one Sentinel says.
type opinion struct {
	addr string
	err  error // nothing below is known
	// master is whom it announces, after the address map; epoch, flags and the
	// rest are its own settings and findings.
	master                     string
	epoch                      uint64
	flags                      string
	downAfter, failoverTimeout time.Duration
	quorum                     int
	others                     int
	replicas                   []replica
	// quorate is what SENTINEL CKQUORUM complains about, empty if nothing.
	quorate string
}

// replica is a replica as a Sentinel sees it.
type replica struct {
	addr, flags, link string
	priority          int
}

// good says whether Sentinel could promote it.
func (r replica) good() bool { return r.flags == "slave" && r.link == "ok" && r.priority > 0 }

// role is what a node says of itself.
type role struct {
	word string // "master", "slave"; empty if it does not answer
	link string // a replica's: "connected"
	err  error
}

// look asks every Sentinel, all at once, and then every node that they name.
func (o *Options) look(ctx context.Context) view {
	v := view{sentinels: make([]opinion, len(o.Sentinel.Addresses)), roles: map[string]role{}}
	var all sync.WaitGroup
	for i, addr := range o.Sentinel.Addresses {
		all.Go(func() { v.sentinels[i] = o.askSentinel(ctx, addr) })
	}
	all.Wait()
	nodes := v.named()
	roles := make([]role, len(nodes))
	for i, addr := range nodes {
		all.Go(func() { roles[i] = askRole(ctx, o.nodeAt(addr)) })
	}
	all.Wait()
	for i, addr := range nodes {
		v.roles[addr] = roles[i]
	}
	return v
}

// named lists the nodes that any Sentinel names, masters first.
func (v view) named() []string {
	var nodes []string
	seen := map[string]bool{"": true}
	add := func(addr string) {
		if !seen[addr] {
			seen[addr] = true
			nodes = append(nodes, addr)
		}
	}
	for _, s := range v.sentinels {
		add(s.master)
	}
	for _, s := range v.sentinels {
		for _, r := range s.replicas {
			add(r.addr)
		}
	}
	return nodes
}

// askSentinel puts all questions to one Sentinel, on one connection.
func (o *Options) askSentinel(ctx context.Context, addr string) opinion {
	s := opinion{addr: addr}
	c, err := o.sentinelAt(addr).connect(ctx)
	if err != nil {
		s.err = err
		return s
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// MASTER first, then the address: see package sentinel, type answer.
	fields, err := c.Do(ctx, "SENTINEL", "MASTER", o.Sentinel.Master)
	if err == nil {
		s.master, err = o.askAddress(ctx, c)
	}
	var list any
	if err == nil {
		list, err = c.Do(ctx, "SENTINEL", "REPLICAS", o.Sentinel.Master)
	}
	if err != nil {
		s.err = err
		return s
	}
	s.read(wire.Pairs(fields))
	items, _ := list.([]any)
	for _, item := range items {
		one := wire.Pairs(item)
		priority, _ := strconv.Atoi(one["slave-priority"]) // none is 0, which is never promoted
		s.replicas = append(s.replicas, replica{
			addr:  o.mapped(net.JoinHostPort(one["ip"], one["port"])),
			flags: one["flags"], link: one["master-link-status"], priority: priority,
		})
	}
	var refusal wire.Error
	if _, err := c.Do(ctx, "SENTINEL", "CKQUORUM", o.Sentinel.Master); errors.As(err, &refusal) && strings.HasPrefix(refusal.Prefix(), "NOQUORUM") {
		s.quorate = refusal.Error() // another refusal is the ACL's and says nothing
	}
	return s
}

func (o *Options) askAddress(ctx context.Context, c *wire.Conn) (string, error) {
	reply, err := c.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", o.Sentinel.Master)
	if err != nil {
		return "", err
	}
	parts := wire.Strings(reply)
	if len(parts) != 2 {
		return "", fmt.Errorf("it knows no master called '%s'", o.Sentinel.Master)
	}
	return o.mapped(net.JoinHostPort(parts[0], parts[1])), nil
}

// read takes what SENTINEL MASTER says; what is no number is 0.
func (s *opinion) read(fields map[string]string) {
	number := func(name string) int {
		n, _ := strconv.Atoi(fields[name])
		return n
	}
	s.epoch = uint64(max(0, number("config-epoch")))
	s.flags = fields["flags"]
	s.downAfter = time.Duration(number("down-after-milliseconds")) * time.Millisecond
	s.failoverTimeout = time.Duration(number("failover-timeout")) * time.Millisecond
	s.quorum, s.others = number("quorum"), number("num-other-sentinels")
}

func askRole(ctx context.Context, node server) role {
	reply, err := node.do(ctx, "ROLE")
	if err != nil {
		return role{err: err}
	}
	words := wire.Strings(reply)
	switch {
	case len(words) >= 4 && words[0] == "slave":
		return role{word: "slave", link: words[3]}
	case len(words) >= 1:
		return role{word: words[0]}
	}
	return role{err: fmt.Errorf("an empty reply to ROLE")}
}

// announced asks every Sentinel only for the address and gives the one that more
// than half of them name, empty if there is none.
func (o *Options) announced(ctx context.Context) string {
	addrs := make([]string, len(o.Sentinel.Addresses))
	var all sync.WaitGroup
	for i, addr := range o.Sentinel.Addresses {
		all.Go(func() {
			c, err := o.sentinelAt(addr).connect(ctx)
			if err != nil {
				return
			}
			defer c.Close()
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			addrs[i], _ = o.askAddress(ctx, c) // no answer is no vote
		})
	}
	all.Wait()
	return majority(addrs)
}

// majority gives what more than half of votes say, empty if nothing; empty votes
// count only as such.
func majority(votes []string) string {
	count := map[string]int{}
	for _, v := range votes {
		count[v]++
	}
	for v, n := range count {
		if 2*n > len(votes) {
			return v
		}
	}
	return ""
}

// master is whom a majority announces, empty if nobody.
func (v view) master() string {
	votes := make([]string, len(v.sentinels))
	for i, s := range v.sentinels {
		votes[i] = s.master
	}
	return majority(votes)
}

// settings gives the first answering Sentinel's opinion, for what all have alike.
func (v view) settings() opinion {
	for _, s := range v.sentinels {
		if s.err == nil {
			return s
		}
	}
	return opinion{}
}

// goodReplicas lists the replicas that every answering Sentinel could promote.
func (v view) goodReplicas() []string {
	votes, answered := map[string]int{}, 0
	for _, s := range v.sentinels {
		if s.err != nil {
			continue
		}
		answered++
		for _, r := range s.replicas {
			if r.good() {
				votes[r.addr]++
			}
		}
	}
	var good []string
	for _, addr := range v.named() {
		if votes[addr] == answered && answered > 0 && addr != v.master() {
			good = append(good, addr)
		}
	}
	return good
}

// unfit says what the first Sentinel that could not promote a replica says of it.
func (v view) unfit(addr string) string {
	for _, s := range v.sentinels {
		for _, r := range s.replicas {
			if r.addr == addr && !r.good() {
				return fmt.Sprintf("Sentinel %s: flags %s, link %s, priority %d", s.addr, r.flags, r.link, r.priority)
			}
		}
	}
	return "not every Sentinel knows it"
}
