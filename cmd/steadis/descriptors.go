package main

import (
	"fmt"
	"syscall"
)

// ownDescriptors is what steadis needs besides its clients: listeners, Sentinels,
// shared connections to the master, the log.
const ownDescriptors = 128

// masterDescriptors is what each master beyond the first one needs of that.
const masterDescriptors = 32

// besides is what steadis needs besides its clients.
func besides(masters int) uint64 { return ownDescriptors + masterDescriptors*uint64(max(masters-1, 0)) }

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
func affordClients(limit uint64, clients, masters int) (affordable int, advice string, err error) {
	if limit >= uint64(clients)+besides(masters) {
		return clients, "", nil
	}
	if limit < besides(masters)+leastClients {
		return 0, "", fmt.Errorf("%d file descriptors are too few for clients at all, at least %d are needed; raise the limit (LimitNOFILE= in systemd, ulimit -n)", limit, besides(masters)+leastClients)
	}
	affordable = int(limit - besides(masters))
	_, advice = judgeDescriptors(limit, clients, masters)
	return affordable, fmt.Sprintf("%s; until then limits.clients is %d", advice, affordable), nil
}

// judgeDescriptors says whether limit is enough for clients, and what to do if
// not. enough may come with advice: a client that blocks, subscribes or has a transaction
// open takes a second descriptor, and whether all will nobody knows.
func judgeDescriptors(limit uint64, clients, masters int) (enough bool, advice string) {
	one, two := uint64(clients)+besides(masters), 2*uint64(clients)+besides(masters)
	switch {
	case limit < one:
		return false, fmt.Sprintf("%d file descriptors are too few for limits.clients %d, which needs %d; raise it (LimitNOFILE= in systemd, ulimit -n), or lower limits.clients", limit, clients, one)
	case limit < two:
		return true, fmt.Sprintf("%d file descriptors are enough for %d clients, but not if all of them block or subscribe at one time, which would need %d", limit, clients, two)
	default:
		return true, ""
	}
}
