package proxy

import (
	"strings"
	"sync/atomic"

	"steadis/proxy/command"
	"steadis/proxy/resp"
)

// A Server of replicas (Options.Reader) answers commands that write with the error that
// a replica gives (Redis 7.0 server.c processCommand), without asking the node: that may
// have been promoted a moment ago, or be the master that stands in for replicas.
// What the table does not know, and scripts, the node judges; if the master may stand
// in, they are refused as well, but for the variants of Redis 7.0 that only read.

// role is what the node is called that commands go to.
func (s *Server) role() string { return s.o.role() }

func (o Options) role() string {
	if o.Reader {
		return "replica"
	}
	return "master"
}

// mayNotWrite says whether steadis refuses a command of s because it writes. A client that
// has yet to authenticate is told so by Redis first.
func (s *Server) mayNotWrite(sess *Session, info *command.Info) bool {
	return s.writesElsewhere(info) && (sess.ident.Auth || !s.pool.NeedsAuth())
}

// writesElsewhere says whether a command is one that writes, on a Server that takes none.
func (s *Server) writesElsewhere(info *command.Info) bool {
	return s.o.Reader && info.Class != command.Read && writes(info, s.o.Standin)
}

// writes says whether a command changes data. standin: the node may be a master.
func writes(info *command.Info, standin bool) bool {
	switch info.Verb {
	case command.Publish, command.SPublish, command.XRead, command.Wait, command.WaitAOF:
		return false
	case command.Eval, command.EvalSha, command.FCall:
		return standin
	}
	switch info.Class {
	case command.Write:
		switch {
		case info.NoData, strings.HasPrefix(info.Name, "script|"), info.Name == "pfcount":
			return false // a replica takes them
		case !info.Known:
			return standin
		}
		return true
	case command.Blocking:
		return info.Known || standin
	}
	return false
}

// Shared bounds, for several Servers together, the commands that have not come whole, and
// the clients.
type Shared struct {
	budget  *resp.Budget
	clients atomic.Int64
}

// NewShared returns a Shared with the limit l.QueryMemory. How many clients there may be,
// each Server's Limits.Clients say.
func NewShared(l Limits) *Shared {
	fill(&l.QueryMemory, defaultQueryMemory)
	fill(&l.Clients, defaultClients)
	return &Shared{budget: newBudget(l)}
}

// Apart returns a Shared that has its limit of unfinished commands in common with s, and counts
// clients anew.
func (s *Shared) Apart() *Shared { return &Shared{budget: s.budget} }

// enter counts a client in, unless there are as many as there may be.
func (s *Shared) enter(most int) bool {
	if s.clients.Add(1) <= int64(most) {
		return true
	}
	s.leave()
	return false
}

// leave counts a client out.
func (s *Shared) leave() { s.clients.Add(-1) }

// Clients says how many clients are connected.
func (s *Server) Clients() int { return int(s.live.Load()) }
