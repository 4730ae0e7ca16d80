package proxy

import (
	"slices"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/roster"
)

// killClients does CLIENT KILL.
func (s *Session) killClients(r *request) []byte {
	request, fault := roster.ParseKill(r.args)
	all := s.server.faces()
	judged := r.local || r.judged // there is such a user
	users := s.server.users.Load()
	known := func(name string) bool {
		if users != nil {
			return users.has(name)
		}
		return judged || name == "default" || slices.ContainsFunc(all, func(c seenClient) bool { return c.User == name })
	}
	if unknown := request.UnknownUser(known); unknown != "" {
		return []byte(unknown)
	}
	if fault != "" {
		return []byte(fault)
	}
	closed, self := 0, false
	for _, c := range all {
		if !request.Match(&c.Client, s.id) {
			continue
		}
		closed++
		if c.session == s {
			self = true
		} else {
			c.session.cut()
		}
	}
	if self {
		s.mu.Lock()
		r.finish, s.ended, s.face.closing = true, true, true
		s.mu.Unlock()
	}
	return request.AppendReply(nil, closed)
}

// cut ends a session for CLIENT KILL.
func (s *Session) cut() {
	s.mu.Lock()
	if s.dead {
		s.server.parted(s)
	}
	s.abort()
	s.mu.Unlock()
}

// tryCut is cut, if nobody else has the session at the moment. It returns whether it has. What
// a session that has ended has left to be read is thrown away.
func (s *Session) tryCut() bool {
	if !s.mu.TryLock() {
		return false
	}
	if s.dead {
		s.out.abort()
	}
	s.abort()
	s.mu.Unlock()
	return true
}

// killNobody returns a CLIENT KILL that Redis judges as it would judge this one, but that
// hits nobody. fault is its answer if it is so wrong that there is none.
func (s *Session) killNobody(args [][]byte) (raw []byte, fault string) {
	if _, fault := roster.ParseKill(args); fault != "" && len(args)%2 != 0 {
		return nil, fault
	}
	harmless := [][]byte{args[0], args[1]}
	if len(args) > 3 {
		harmless = slices.Clone(args)
		for i := 2; i+1 < len(args) && s.server.static(); i += 2 {
			if command.Is(args[i], "user") {
				harmless[i+1] = []byte(defaultUser) // Redis does not know steadis' own
			}
		}
	}
	return resp.AppendCommandBytes(nil, append(harmless, []byte("ID"), []byte(nobody))...), ""
}
