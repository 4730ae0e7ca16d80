package main

import (
	"context"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/config"
	"steadis/proxy"
	"steadis/proxy/admin"
)

// services are all that a process serves, in the order of config.PerMaster; at least one.
type services []*service

// newServices makes a service for each master. With several of them each one's metrics have
// its name as the label master, and its log lines as their logger's.
func newServices(c *config.Config, tls *legs, log *zap.Logger, registry prometheus.Registerer, sockets *sockets) (services, error) {
	var all services
	together := proxy.NewShared(proxy.Limits{Clients: c.Limits.Clients, QueryMemory: int64(c.Limits.QueryMemory)})
	for i, own := range c.PerMaster() {
		log, registry := log, registry
		if c.Several() {
			log, registry = log.Named(own.Master), prometheus.WrapRegistererWith(prometheus.Labels{"master": own.Master}, registry)
		}
		s, err := newService(own, tls, log, registry, together, sockets.places[i].inherited())
		if err != nil {
			return nil, err
		}
		s.several = c.Several()
		all = append(all, s)
	}
	return all, nil
}

// several says whether they are told apart by name.
func (all services) several() bool { return all[0].several }

func (all services) names() []string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.name
	}
	return names
}

// named gives the service for the master of a name, or the only one for ""; nil if there is
// none.
func (all services) named(master string) *service {
	if master == "" && len(all) == 1 {
		return all[0]
	}
	i := slices.IndexFunc(all, func(s *service) bool { return s.name == master })
	if i < 0 {
		return nil
	}
	return all[i]
}

// heir gives the service that goes on with clients which a former process has served for
// master; nil: none does. Where both know but one master, what it is called does not matter.
func (all services) heir(master string, formerSeveral bool) *service {
	if !all.several() && !formerSeveral {
		return all[0]
	}
	if master == "" { // a version that did not say
		return nil
	}
	return all.named(master)
}

// adopt goes on with a client that a former process has served for master. False: it was
// closed.
func (all services) adopt(nc net.Conn, c proxy.Client, master string, formerSeveral bool) bool {
	s := all.heir(master, formerSeveral)
	if s == nil {
		_ = nc.Close() // nobody here has its data
		return false
	}
	return s.adopt(nc, c) == nil
}

// nextID and startIDs are about CLIENT ID, which each service counts for itself.
func (all services) nextID() uint64 {
	next := uint64(0)
	for _, s := range all {
		next = max(next, s.server.NextID())
	}
	return next
}

func (all services) startIDs(first uint64) {
	for _, s := range all {
		s.server.StartIDs(first)
	}
}

// ready says whether clients of every service can be served, and why or why not; with
// several what is not ready comes first.
func (all services) ready() (ready bool, why string) {
	if !all.several() {
		return all[0].server.Ready()
	}
	var good, bad []string
	for _, s := range all {
		if ready, why := s.server.Ready(); ready {
			good = append(good, s.name+": "+why)
		} else {
			bad = append(bad, s.name+": "+why)
		}
	}
	return len(bad) == 0, strings.Join(append(bad, good...), "; ")
}

// serving says whether every service has a master that takes commands.
func (all services) serving() bool {
	return !slices.ContainsFunc(all, func(s *service) bool { return s.server.State().Phase != phaseServing })
}

// statuses is what /api/status shows of several services.
type statuses struct {
	Version string            `json:"version"`
	Started time.Time         `json:"started"`
	Masters map[string]status `json:"masters"`
}

// status gives what /api/status shows: of the master of a name or, for "", of all.
func (all services) status(started time.Time, master string) any {
	if s := all.named(master); s != nil && (master != "" || !all.several()) {
		return s.status(started)
	}
	st := statuses{Version: ourVersion(), Started: started, Masters: map[string]status{}}
	for _, s := range all {
		st.Masters[s.name] = s.status(started)
	}
	return st
}

// switchover is the action behind POST /api/switchover. Of the time for which commands may
// be held it takes two thirds at most, so that what then goes on as before does so in time.
func (all services) switchover(current func() *config.Config) admin.MasterAction {
	return func(ctx context.Context, master string) (any, error) {
		s := all.named(master)
		hold := current().PerMaster()[slices.Index(all, s)].Hold
		// Who has asked may go away; half of it must not.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(hold*2/3, switchoverMost))
		defer cancel()
		return s.finder.switchover(ctx, s.server.Drained)
	}
}

// entries are the services' servers, each with the listeners that clients of it come to:
// those of sockets, in their order, and what inner has for each service.
func (all services) entries(sockets *sockets, admitted []net.Listener, inner []net.Listener) []entry {
	var entries []entry
	take := func(n int) []net.Listener {
		taken := admitted[:n:n]
		admitted = admitted[n:]
		return taken
	}
	for i, s := range all {
		first := entry{s.of("proxy"), s.server, take(len(sockets.places[i].masters))}
		if inner != nil {
			first.listeners = append(first.listeners, inner[i])
		}
		entries = append(entries, first)
		if s.readers != nil {
			entries = append(entries, entry{s.of("reader"), s.readers, take(len(sockets.places[i].replicas))})
		}
	}
	return entries
}
