package proxy

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"

	"steadis/proxy/command"
	"steadis/proxy/resp"
)

// effect is a command, queued in a MULTI, that does something to the session when EXEC
// runs it, or whose answer is steadis' own.
type effect struct {
	at  int // how manieth of the queued commands it is
	r   *request
	all []seenClient // for CLIENT LIST
}

// actsOnSession says whether a queued command is an effect.
func actsOnSession(r *request) bool {
	switch r.info.Verb {
	case command.Select, command.Auth, command.Hello, command.ClientTracking, command.ClientNoTouch, command.ScriptFlush, command.ServerInfo,
		command.ClientPause, command.ClientUnpause:
		return true
	}
	_, _, sub := subscribing(r.info)
	return sub || r.local || changesAccess(r)
}

// extraFrames is how many frames more than one EXEC's reply has: an (un)subscribing
// command in it has one for each name, but counts as one element (Redis 7.0
// pubsub.c subscribeCommand).
func (s *Session) extraFrames() int32 {
	extra := 0
	sets := s.subscriptions()
	for _, e := range s.tx.effects {
		if k, add, ok := subscribing(e.r.info); ok {
			if k == shards && add {
				continue // Redis 7.0 refuses SSUBSCRIBE there (pubsub.c ssubscribeCommand)
			}
			extra += framesOf(sets, k, add, e.r.args) - 1
		}
	}
	return int32(extra)
}

// subscriptions returns a copy of what the session has subscribed to.
func (s *Session) subscriptions() (sets [3]map[string]struct{}) {
	for k := range sets {
		sets[k] = make(map[string]struct{})
		if s.sub != nil {
			maps.Copy(sets[k], s.sub.sets[k])
		}
	}
	return sets
}

// framesOf returns how many replies an (un)subscribing command has, and brings sets to
// where it leads.
func framesOf(sets [3]map[string]struct{}, k kind, add bool, args [][]byte) int {
	if len(args) == 1 {
		n := max(1, len(sets[k]))
		clear(sets[k])
		return n
	}
	for _, name := range args[1:] {
		if add {
			sets[k][string(name)] = struct{}{}
		} else {
			delete(sets[k], string(name))
		}
	}
	return len(args) - 1
}

// execute brings the session to where an EXEC has led, and answers it. If other
// sessions have to be looked at for that, it does so in a goroutine of its own.
func (s *Session) execute(r *request, effects []*effect, frame []byte) {
	frame = bytes.Clone(frame)
	access := slices.ContainsFunc(effects, func(e *effect) bool { return changesAccess(e.r) })
	if !access && !slices.ContainsFunc(effects, func(e *effect) bool { return e.r.local && looksAbroad(e.r.info) }) {
		s.answer(r, s.executed(r, effects, frame, nil))
		return
	}
	s.elsewhere(r, func() []byte {
		if access {
			s.server.look(context.Background())
		}
		answers := make(map[*effect][]byte)
		for _, e := range effects {
			if e.r.local && e.r.info.Verb == command.ClientKill {
				answers[e] = s.abroad(e.r)
			}
		}
		all := s.server.faces()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, e := range effects {
			e.all = all
		}
		return s.executed(r, effects, frame, answers)
	})
}

// executed applies the effects, in order, and returns EXEC's reply with steadis' own
// answers in their places. s.mu must be held.
func (s *Session) executed(exec *request, effects []*effect, frame []byte, answers map[*effect][]byte) []byte {
	head, elements := frame[:bytes.IndexByte(frame, '\n')+1], topElements(frame)
	s.executing = max(1, len(elements))
	defer func() { s.executing = 0 }()
	shift := 0
	for _, e := range effects {
		at := e.at + shift
		if at >= len(elements) {
			break
		}
		switch k, add, sub := subscribing(e.r.info); {
		case sub && elements[at][0] != '-':
			shift += s.noteSubscribed(k, add, e.r.args) - 1
		case sub:
		case answers[e] != nil:
			elements[at] = answers[e]
		default:
			elements[at] = s.apply(e, elements[at])
		}
	}
	if i := slices.IndexFunc(effects, func(e *effect) bool { return e.r.info.Verb == command.ClientReply }); i >= 0 {
		return s.mutedInside(exec, effects[i:], head, elements)
	}
	return append(bytes.Clone(head), bytes.Join(elements, nil)...)
}

// apply lets one queued command have its effect; it returns the command's answer.
func (s *Session) apply(e *effect, element []byte) []byte {
	r := e.r
	switch {
	case r.local && r.info.Verb == command.ClientList:
		return s.listClients(r, e.all)
	case r.local:
		return s.answerHere(r)
	case r.info.Verb == command.ServerInfo:
		return s.withSteadis(r, element)
	case element[0] == '-':
		return element
	}
	switch r.info.Verb {
	case command.Select, command.Auth, command.Hello:
		if fault := s.candidate(r); fault == "" {
			s.become(r.target)
			if r.name != nil {
				s.name = *r.name
			}
		}
		if r.info.Verb == command.Hello {
			return withID(element, s.id)
		}
	case command.ClientTracking:
		s.noteTracking(r)
	case command.ClientNoTouch:
		s.untouched = command.Is(r.args[2], "on")
		s.stain()
	case command.ScriptFlush:
		s.server.scripts.flush()
	case command.ClientPause:
		s.server.notePause(r.args)
	case command.ClientUnpause:
		s.server.noteUnpause()
	}
	return element
}

// noteSubscribed brings the session's subscriptions to where an executed command has
// led, and returns how many replies it had.
func (s *Session) noteSubscribed(k kind, add bool, args [][]byte) int {
	if s.sub == nil {
		if !add {
			return max(1, len(args)-1)
		}
		s.openSub(nil)
		if s.pin.conn != nil {
			s.pin.conn.Subscribed(true) // what comes next may be a message
		}
	}
	return framesOf(s.sub.sets, k, add, args)
}

// topElements returns the elements of an aggregate and the frames that follow it.
func topElements(frame []byte) [][]byte {
	var elements [][]byte
	var scanner resp.Scanner
	for rest := frame[bytes.IndexByte(frame, '\n')+1:]; len(rest) > 0; {
		n, whole, err := scanner.Scan(rest)
		if err != nil || !whole {
			break
		}
		elements = append(elements, rest[:n])
		rest = rest[n:]
	}
	return elements
}

// atoi reads a number that Redis has taken.
func atoi(b []byte) int {
	n, err := strconv.Atoi(string(b))
	if err != nil {
		return 0
	}
	return n
}
