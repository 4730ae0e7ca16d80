package proxy

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// effect is a command, queued in a MULTI, that does something to the session when EXEC
// runs it, or whose answer is steadis' own.
type effect struct {
	at int // how manieth of the queued commands it is
	r  *request
}

// actsOnSession says whether a queued command is an effect.
func actsOnSession(r *request) bool {
	switch r.info.Verb {
	case command.Select, command.Auth, command.Hello, command.ClientTracking, command.ClientTrackingInfo, command.ClientNoTouch, command.ScriptFlush, command.ServerInfo,
		command.Scan, command.ClientPause, command.ClientUnpause:
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

// execution is an EXEC that Redis has run, while its effects come about in order.
type execution struct {
	s        *Session
	exec     *request
	head     []byte
	elements [][]byte // of the reply; steadis' own answers take their places
	shift    int      // elements that subscriptions have more than commands
	ended    int      // what comes behind the element before is not answered; 0: all is
}

// execute brings the session to where an EXEC has led, and answers it. If other
// sessions have to be looked at for that, it does so in a goroutine of its own.
func (s *Session) execute(r *request, effects []*effect, frame []byte) {
	frame = bytes.Clone(frame)
	access := slices.ContainsFunc(effects, func(e *effect) bool { return changesAccess(e.r) })
	if !access && !slices.ContainsFunc(effects, (*effect).abroad) {
		s.answer(r, s.executed(r, effects, frame))
		return
	}
	x := s.newExecution(r, effects, frame)
	s.elsewhere(r, func() []byte {
		if access {
			s.server.look(context.Background())
		}
		for _, e := range effects {
			x.step(e)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return x.reply(effects)
	})
}

// executed applies effects that concern this session alone, in order, and returns EXEC's
// reply with steadis' own answers in their places. s.mu must be held.
func (s *Session) executed(exec *request, effects []*effect, frame []byte) []byte {
	x := s.newExecution(exec, effects, frame)
	for _, e := range effects {
		x.apply(e)
	}
	return x.reply(effects)
}

func (s *Session) newExecution(exec *request, effects []*effect, frame []byte) *execution {
	x := &execution{s: s, exec: exec, head: frame[:bytes.IndexByte(frame, '\n')+1]}
	x.elements = topElements(frame, s.ident.Protocol != 3 && slices.ContainsFunc(effects, (*effect).subscribes))
	s.executing = max(1, atoi(bytes.TrimSpace(x.head[1:]))) // not the elements: subscriptions have more
	return x
}

// step lets one effect come about that may concern other sessions. No session's lock may
// be held.
func (x *execution) step(e *effect) {
	if !e.abroad() {
		x.s.mu.Lock()
		x.apply(e)
		x.s.mu.Unlock()
		return
	}
	at := e.at + x.shift
	if at >= len(x.elements) || x.elements[at][0] == '-' {
		return
	}
	x.elements[at] = x.s.abroad(e.r)
	if e.r.finish && x.ended == 0 {
		x.ended = at + 1 // it has killed itself (Redis 7.0 networking.c: CLIENT_CLOSE_AFTER_REPLY)
	}
}

// apply lets one effect come about. s.mu must be held.
func (x *execution) apply(e *effect) {
	at := e.at + x.shift
	if at >= len(x.elements) || x.s.dead {
		return
	}
	k, add, sub := subscribing(e.r.info)
	switch element := x.elements[at]; {
	case element[0] == '-':
	case sub:
		x.shift += x.s.noteSubscribed(k, add, e.r.args) - 1
	default:
		x.elements[at] = x.s.apply(e.r, element)
	}
}

// reply ends the execution. s.mu must be held.
func (x *execution) reply(effects []*effect) []byte {
	x.s.executing = 0
	if x.ended > 0 {
		x.elements, x.exec.finish = x.elements[:x.ended], true
	}
	if i := slices.IndexFunc(effects, func(e *effect) bool { return e.r.info.Verb == command.ClientReply }); i >= 0 {
		return x.s.mutedInside(x.exec, effects[i:], x.head, x.elements)
	}
	return append(bytes.Clone(x.head), bytes.Join(x.elements, nil)...)
}

// subscribes says whether subscriptions begin or end by an effect.
func (e *effect) subscribes() bool {
	_, _, ok := subscribing(e.r.info)
	return ok
}

// answers says whether steadis has something to say in an effect's answer.
func (e *effect) answers() bool {
	switch e.r.info.Verb {
	case command.Hello, command.ServerInfo, command.Scan, command.ClientTrackingInfo:
		return true
	}
	return e.r.local
}

// abroad says whether other sessions have to be looked at for an effect.
func (e *effect) abroad() bool { return e.r.local && looksAbroad(e.r.info) }

// apply lets one queued command that was no error have its effect; it returns the
// command's answer.
func (s *Session) apply(r *request, element []byte) []byte {
	switch {
	case r.local:
		return s.answerHere(r)
	case r.info.Verb == command.ServerInfo:
		return s.withSteadis(r, element)
	case r.info.Verb == command.Scan:
		return taggedCursor(r, s.conn.Epoch(), element)
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
	case command.ClientTrackingInfo:
		return s.trackingInfo(element)
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

// topElements returns the elements of an aggregate and the frames that follow it. A
// message (upstream.IsMessage) is none: it goes with the reply of the command that has
// published it.
func topElements(frame []byte, plain bool) [][]byte {
	var elements [][]byte
	var scanner resp.Scanner
	start := 0 // before it in rest are messages
	for rest := frame[bytes.IndexByte(frame, '\n')+1:]; len(rest) > start; {
		n, whole, err := scanner.Scan(rest[start:])
		if err != nil || !whole {
			break
		}
		if upstream.IsMessage(rest[start:start+n], plain) {
			start += n
			continue
		}
		elements = append(elements, rest[:start+n])
		rest, start = rest[start+n:], 0
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
