package proxy

import "steadis/proxy/command"

// touched takes the reply to CLIENT NO-TOUCH.
func (s *Session) touched(r *request, frame []byte) {
	if frame[0] != '-' && len(r.args) == 3 {
		s.untouched = command.Is(r.args[2], "on")
		s.stain()
	}
	s.answer(r, frame)
}

// stain says that the private connection is not to be given to others.
func (s *Session) stain() {
	if s.pin != nil {
		s.pin.stained = true
	}
}

// monitors takes the reply to MONITOR.
func (s *Session) monitors(r *request, frame []byte) {
	if frame[0] == '-' {
		s.monitoring = false
	}
	s.answer(r, frame)
}

// advanceMonitor sends MONITOR. What it shows comes as pushes.
func (s *Session) advanceMonitor(r *request) bool {
	if !s.first(r) {
		return false
	}
	if s.monitoring {
		return s.local(r, nil) // Redis says nothing to it (7.0 replication.c monitorCommand)
	}
	s.monitoring = true
	s.pinned().Keep()
	s.stain()
	r.role = roleMonitor
	return s.pickAlone(r)
}
