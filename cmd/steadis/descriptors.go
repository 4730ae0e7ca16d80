package main

import (
	"fmt"
	"syscall"

	"steadis/config"
)

// ownDescriptors is what steadis needs besides its clients: listeners, Sentinels,
// shared connections to the master, the log.
const ownDescriptors = 128

// masterDescriptors is what each master beyond the first one needs of that.
const masterDescriptors = 32

// demand is what descriptors are needed for.
type demand struct {
	clients int // limits.clients
	crowds  int // how many times so many there may be: see crowds
	masters int
}

func demandOf(c *config.Config) demand {
	return demand{c.Limits.Clients, int(crowds(c)), len(c.PerMaster())}
}

// besides is what steadis needs besides its clients.
func (d demand) besides() uint64 {
	return ownDescriptors + masterDescriptors*uint64(max(d.masters-1, 0))
}

// of is what is needed if each client takes so many.
func (d demand) of(each uint64) uint64 {
	return each*uint64(d.clients)*uint64(d.crowds) + d.besides()
}

// name says which clients these are.
func (d demand) name() string {
	if d.crowds > 1 {
		return ", at listen_replicas anew,"
	}
	return ","
}

// descriptorLimit gives how many file descriptors this process may have. Go has
// raised the soft limit to the hard one at the start.
func descriptorLimit() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("cannot read the limit of file descriptors: %w", err)
	}
	return limit.Cur, nil
}

// leastClients is how many clients there must be descriptors for.
const leastClients = 16

// affordClients lowers limits.clients to what there are descriptors for, as Redis does with
// maxclients: who comes too late gets its error, and is not left waiting by a full process.
// The advice says so; it is "" if all are affordable.
func affordClients(limit uint64, d demand) (affordable int, advice string, err error) {
	if limit >= d.of(1) {
		return d.clients, "", nil
	}
	least := demand{leastClients, d.crowds, d.masters}.of(1)
	if limit < least {
		return 0, "", fmt.Errorf("%d file descriptors are too few for clients at all, at least %d are needed; raise the limit (LimitNOFILE= in systemd, ulimit -n)", limit, least)
	}
	affordable = int(limit-d.besides()) / d.crowds
	_, advice = judgeDescriptors(limit, d)
	return affordable, fmt.Sprintf("%s; until then limits.clients is %d", advice, affordable), nil
}

// judgeDescriptors says whether limit is enough for clients, and what to do if
// not. enough may come with advice: a client that blocks, subscribes or has a transaction
// open takes a second descriptor, and whether all will nobody knows.
func judgeDescriptors(limit uint64, d demand) (enough bool, advice string) {
	switch {
	case limit < d.of(1):
		return false, fmt.Sprintf("%d file descriptors are too few for limits.clients %d%s which needs %d; raise it (LimitNOFILE= in systemd, ulimit -n), or lower limits.clients", limit, d.clients, d.name(), d.of(1))
	case limit < d.of(2):
		return true, fmt.Sprintf("%d file descriptors are enough for %d clients, but not if all of them block or subscribe at one time, which would need %d", limit, d.clients*d.crowds, d.of(2))
	default:
		return true, ""
	}
}
