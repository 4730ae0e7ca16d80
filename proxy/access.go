package proxy

import (
	"bytes"
	"context"
	"slices"

	"steadis/proxy/command"
	"steadis/proxy/upstream"
)

// changesAccess says whether a command may change what a client has to do before its
// first command.
func changesAccess(r *request) bool {
	switch r.info.Verb {
	case command.ACLSetUser, command.ACLDelUser, command.ACLLoad:
		return true // ACL DELUSER answers a number
	case command.ConfigSet:
		for i := 2; i < len(r.args); i += 2 {
			if command.Is(r.args[i], "requirepass") {
				return true
			}
		}
	}
	return false
}

// lookFirst answers r once steadis knows what it has changed: who has read the answer
// may rely on it, over any connection.
func (s *Session) lookFirst(r *request, frame []byte) {
	frame = bytes.Clone(frame)
	s.elsewhere(r, func() []byte {
		if r.info.Verb == command.ACLDelUser {
			s.server.cutUsers(r.args[2:])
		}
		s.server.look(context.Background())
		return frame
	})
}

// cutUsers closes the clients of users that were deleted, as Redis does (Redis 7.0 acl.c
// ACLFreeUserAndKillClients).
func (s *Server) cutUsers(names [][]byte) {
	for _, sess := range s.list() {
		sess.mu.Lock()
		if id := sess.ident; id.Auth && slices.ContainsFunc(names, func(name []byte) bool { return string(name) == id.User }) {
			if sess.barrier != nil && sess.barrier.role == roleElsewhere && sess.barrier.info.Verb == command.ACLDelUser {
				sess.barrier.finish = true // its own: behind the reply
			} else {
				sess.abort()
			}
		}
		sess.mu.Unlock()
	}
}

// userDeleted closes the clients of a user that the master has deleted, as it has done itself with
// their connections: somebody has told it so beside steadis. A changed password ends no
// connection, so it does not lead here.
func (s *Server) userDeleted(id upstream.Identity) {
	if s.static() {
		return // no client's user is Redis'
	}
	for _, sess := range s.list() {
		sess.mu.Lock()
		if sess.ident.Auth && sess.ident.User == id.User && sess.ident.Password == id.Password {
			sess.close()
		}
		sess.mu.Unlock()
		sess.out.flush()
	}
}
