package sentinel

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// How a running Watcher takes other options. Who counts is changed last: Sentinels that
// are new to the list are asked first, and only when a majority of the new list answers is
// it the list. So commands are not held for want of a majority that is only being
// connected to.

// joinFor is how long a majority of a new list has to answer. After it the list is in
// force all the same: it is the operator's word.
const joinFor = 5 * time.Second

// reconfigured: these are the options from now on.
type reconfigured struct{ o *Options }

func (reconfigured) isInput() {}

// join: open a session to this Sentinel, as to a configured one.
type join struct{ addr string }

func (join) isEffect() {}

// Prepare checks o and returns what makes a running Watcher go by it. Until that is called
// nothing has changed. Master, Dial, Log and Registry stay what they were. The change is
// made by Run, soon; before Run it waits for it.
func (w *Watcher) Prepare(o Options) (apply func(), err error) {
	now := w.opts()
	o.Master, o.Dial, o.DialNode, o.Log, o.Registry = now.Master, now.Dial, now.DialNode, now.Log, now.Registry
	o, err = o.normalized()
	if err != nil {
		return nil, err
	}
	return func() {
		for {
			select {
			case w.reloads <- &o:
				return
			case <-w.reloads: // one that nobody has looked at yet: ours is newer
			}
		}
	}, nil
}

// reconfigure makes o the options of all that is begun from now on, and begins sessions
// anew that go by other ones. What is known of their Sentinels stays.
func (w *Watcher) reconfigure(ctx context.Context, o *Options) {
	former := w.options.Swap(o)
	if !former.asksAlike(o) {
		for addr, s := range w.sessions {
			s.cancel()
			pace := s.pace.Load()
			w.open(ctx, addr, s.learned)
			w.sessions[addr].pace.Store(pace)
		}
	}
}

// asksAlike says whether sessions of o are as those of p.
func (o *Options) asksAlike(p *Options) bool {
	return o.User == p.User && o.Password == p.Password && o.Timeout == p.Timeout && o.Poll == p.Poll &&
		sameMap(o.AddressMap, p.AddressMap)
}

func sameMap(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// onReconfigured notes the new options. Sentinels that are new to the list join.
func (s *state) onReconfigured(in reconfigured, now time.Time) {
	o := in.o
	s.poll, s.pollHolding = o.Poll, o.PollHolding
	s.minorityHolds, s.fences = o.HoldWithoutMajority, o.Fence
	s.wanted, s.wantedSince = o.Addresses, now
	for _, addr := range s.order {
		// Of a list that has been replaced before it was in force.
		if m := s.members[addr]; m.joining && !slices.Contains(s.wanted, addr) {
			delete(s.members, addr)
			s.emit(forget{addr})
		}
	}
	s.order = slices.DeleteFunc(s.order, func(a string) bool { return s.members[a] == nil })
	s.invite()
}

// invite begins with the wanted Sentinels that are not known.
func (s *state) invite() {
	for _, addr := range s.wanted {
		if s.members[addr] == nil {
			s.members[addr] = &member{addr: addr, joining: true}
			s.order = append(s.order, addr)
			s.emit(join{addr})
		}
	}
}

// updateConfigured makes the wanted list the configured one, once a majority of it
// answers or enough time has passed.
func (s *state) updateConfigured(now time.Time) {
	if s.wanted == nil {
		return
	}
	s.invite() // one that was learned may have been forgotten since
	up := 0
	for _, addr := range s.wanted {
		if s.members[addr].up {
			up++
		}
	}
	waited := now.Sub(s.wantedSince) >= joinFor
	if up < majority(len(s.wanted)) && !waited && !s.isConfigured(s.wanted) {
		return
	}
	s.replaceConfigured(up)
}

// isConfigured says whether the list is in force already.
func (s *state) isConfigured(list []string) bool {
	var now []string
	for _, m := range s.configured() {
		now = append(now, m.addr)
	}
	return slices.Equal(now, list)
}

// replaceConfigured puts the wanted list in force. up of it answer.
func (s *state) replaceConfigured(up int) {
	list := s.wanted
	s.wanted = nil
	if s.isConfigured(list) {
		return
	}
	order := slices.Clone(list)
	var removed, added []string
	for _, addr := range s.order {
		switch m := s.members[addr]; {
		case slices.Contains(list, addr):
			if m.learned { // its session is one that asks for no others
				s.emit(forget{addr})
				s.emit(join{addr})
			}
			if m.learned || m.joining {
				added = append(added, addr)
			}
			m.learned, m.joining, m.listedAs = false, false, ""
		case m.learned:
			order = append(order, addr)
		default:
			delete(s.members, addr)
			removed = append(removed, addr)
			s.emit(forget{addr})
		}
	}
	s.order = order
	level := zapcore.InfoLevel
	if up < majority(len(list)) {
		level = zapcore.WarnLevel
	}
	s.log(level, "the list of Sentinels has changed", zap.Strings("added", added), zap.Strings("removed", removed),
		zap.Int("configured", len(list)), zap.Int("majority", majority(len(list))), zap.Int("answering", up))
	s.updateLearned()
}
