package sentinel

import (
	"slices"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// maxLearned bounds the sessions that lists of Sentinels can make us open.
const maxLearned = 32

// updateLearned opens and closes sessions so that the learned members are those
// that a majority of the configured Sentinels lists, by the last list of each,
// with the same runid and address. A majority, so that no single Sentinel can
// make us dial addresses of its choice or crowd out real ones. A configured
// Sentinel that is lost keeps its last word, since the learned ones matter most
// when it is gone; its lists change again when it is back.
func (s *state) updateLearned() {
	wanted := s.vouched()
	for _, m := range s.learned() {
		if p := (peer{m.addr, m.listedAs}); !slices.Contains(wanted, p) {
			delete(s.members, m.addr)
			s.order = slices.DeleteFunc(s.order, func(a string) bool { return a == m.addr })
			s.emit(forget{m.addr})
			s.log(zapcore.InfoLevel, "sentinel forgotten", zap.String("sentinel", m.addr))
		}
	}
	for _, p := range wanted {
		if s.members[p.addr] == nil {
			s.members[p.addr] = &member{addr: p.addr, learned: true, listedAs: p.runid}
			s.order = append(s.order, p.addr)
			s.emit(learn{p.addr})
			s.log(zapcore.InfoLevel, "sentinel learned", zap.String("sentinel", p.addr), zap.String("runid", p.runid))
		}
	}
}

// vouched gives the listed Sentinels that are to be learned, in a fixed order.
func (s *state) vouched() []peer {
	configured := s.configured()
	own := make(map[string]bool)
	for _, m := range configured {
		if m.runid != "" {
			own[m.runid] = true
		}
	}
	votes := make(map[peer]int)
	for _, m := range configured {
		seen := make(map[peer]bool)
		for _, p := range m.peers {
			if !seen[p] {
				seen[p] = true
				votes[p]++
			}
		}
	}
	var out []peer
	for p, n := range votes {
		if m := s.members[p.addr]; own[p.runid] || (m != nil && !m.learned) || n < majority(len(configured)) {
			continue
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b peer) int { return strings.Compare(a.runid+a.addr, b.runid+b.addr) })
	return out[:min(len(out), maxLearned)]
}
