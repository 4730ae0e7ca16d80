package main

import (
	"slices"
	"strings"

	"steadis/cmd/internal/handover"
	"steadis/config"
)

// place is where the clients of one master are accepted.
type place struct {
	// name is what the service manager calls its sockets: the master's name. "": there is
	// but one place, and every socket is its.
	name string
	// masters are for the master, replicas for its replicas.
	masters, replicas []handover.Socket
}

// tlsName is the service manager's name of a socket whose clients speak TLS.
func (p *place) tlsName() string {
	if p.name == "" {
		return tlsName
	}
	return p.name + "." + tlsName
}

// speaksTLS says whether clients of one of the place's sockets do.
func (p *place) speaksTLS(socket handover.Socket) bool {
	for _, prefix := range []string{namedClients, namedReaders} {
		if entry, ours := strings.CutPrefix(socket.Name, prefix); ours {
			return config.ListensTLS(entry)
		}
	}
	return activatedName(socket.Name) == p.tlsName()
}

// inherited says whether other processes have some of its sockets too, so that who waits
// to be accepted can wait for the next one.
func (p *place) inherited() bool {
	return slices.ContainsFunc(p.masters, func(socket handover.Socket) bool { return strings.HasPrefix(socket.Name, namedActivated) })
}

// activatedName is the service manager's name in that of a socket.
func activatedName(socket string) string {
	name := strings.TrimPrefix(socket, namedActivated)
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		name = name[:i]
	}
	return name
}

// shown gives the addresses of some of the place's sockets, for the log.
func (p *place) shown(sockets []handover.Socket) []string {
	addresses := make([]string, len(sockets))
	for i, socket := range sockets {
		addresses[i] = socket.Listener.Addr().String()
		if p.speaksTLS(socket) {
			addresses[i] = "tls://" + addresses[i]
		}
	}
	return addresses
}
