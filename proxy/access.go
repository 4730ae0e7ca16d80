package proxy

import (
	"bytes"
	"context"

	"steadis/proxy/command"
)

// changesAccess says whether a command may change what a client has to do before its
// first command.
func changesAccess(r *request) bool {
	switch r.info.Verb {
	case command.ACLSetUser, command.ACLDelUser, command.ACLLoad:
		return true
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
		s.server.look(context.Background())
		return frame
	})
}
