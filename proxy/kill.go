package proxy

import (
	"context"
	"slices"
	"strconv"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/roster"
	"steadis/proxy/upstream"
)

// killClients does CLIENT KILL. No session's lock may be held.
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
	var private []*upstream.Conn
	for _, c := range all {
		if !request.Match(&c.Client, s.id) {
			continue
		}
		closed++
		if c.session == s {
			self = true
		} else if conn := c.session.sever(); conn != nil {
			private = append(private, conn)
		}
	}
	s.forgotten(private)
	if self {
		s.mu.Lock()
		r.finish, s.ended, s.face.closing = true, true, true
		s.mu.Unlock()
	}
	return request.AppendReply(nil, closed)
}

// forgotten returns once Redis has forgotten the private connections of killed clients: they are
// closed, but Redis, for which there is no order between two connections, might see that only
// after what the killer sends next. It would serve a BLPOP of the killed
// client by the killer's own RPUSH, and PUBSUB NUMSUB would count who is gone. CLIENT KILL of them
// goes out behind the killer's own, which its user was allowed.
func (s *Session) forgotten(private []*upstream.Conn) {
	conn := s.asksOver()
	if conn == nil {
		return
	}
	var kills [][]byte
	for _, c := range private {
		if id := c.ClientID(); id != 0 && c.Generation() == conn.Generation() { // else it was another node's
			kills = append(kills, resp.AppendCommand(nil, "CLIENT", "KILL", "ID", strconv.FormatInt(id, 10)))
		}
	}
	if len(kills) > 0 {
		_ = conn.Ask(context.Background(), kills...) // it ends with the connection at the latest; then nobody is blocked there
	}
}

// sever is cut, for CLIENT KILL. It returns the session's private connection, nil if it had none.
func (s *Session) sever() *upstream.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn := s.privateConn()
	s.abort()
	return conn
}

// cut ends a session whose client cannot be written to any more.
func (s *Session) cut() {
	s.mu.Lock()
	if s.dead {
		s.server.parted(s)
	}
	s.abort()
	s.mu.Unlock()
}

// throwOut is cut for who takes too much, and waits for nobody: if another goroutine has the
// session at the moment, its unread replies go and its connection closes now, and the
// goroutine that reads it ends the rest. What a session that has ended has left to be read is
// thrown away. It returns false if that has been done before.
func (s *Session) throwOut() bool {
	first := s.out.abort()
	if s.mu.TryLock() {
		s.abort()
		s.mu.Unlock()
	}
	return first
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
