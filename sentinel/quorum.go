package sentinel

// Who is announced, and by how many.
//
// The vote of a Sentinel is its last answer, while it is up. Votes count only
// for the very same address and epoch: else one Sentinel that adds a huge epoch
// to the true address would make every later failover look like the past.
//
// There are two ways to a quorum, and either will do:
//
//  1. A majority of the configured Sentinels, reachable or not. This is all
//     there is with three or more configured ones in ordinary times.
//  2. A majority of the configured and the learned ones together, where a
//     learned one is known by its runid and listed by a majority of the
//     configured ones (learn.go). This lets a deployment go on whose
//     configured majority has died, such as one of two configured Sentinels
//     that shared its machine with the dead master.
//
// Both are sound against one Sentinel that lies: it cannot be a majority of more
// than one configured Sentinel, nor introduce a voter of its own. With exactly
// one configured Sentinel that one is trusted; there is nobody else to ask.
//
// With two configured Sentinels and no third one to learn, both must agree; when
// one is down, traffic stays where it is until it is back.

// tally is the outcome of a count.
type tally struct {
	target
	// ok: a quorum announces target. base: by way 1, that is without learned ones.
	ok, base bool
	// votes for target and voters in all, for people.
	votes, voters int
}

// majority of n.
func majority(n int) int { return n/2 + 1 }

// configured gives the configured members in their order.
func (s *state) configured() []*member { return s.group(false) }

// learned gives the learned members in their order.
func (s *state) learned() []*member { return s.group(true) }

func (s *state) group(learned bool) []*member {
	var ms []*member
	for _, a := range s.order {
		if m := s.members[a]; m.learned == learned && !m.joining {
			ms = append(ms, m)
		}
	}
	return ms
}

// electors gives the configured members, each Sentinel once. Two addresses are
// one Sentinel if both give the same runid and the same announcement. If their
// announcements differ they are taken for two, so that a Sentinel that borrows
// another one's runid cannot silence it.
func (s *state) electors() []*member {
	var out []*member
	type identity struct {
		runid string
		target
	}
	seen := make(map[identity]bool)
	for _, m := range s.configured() {
		if m.up && m.runid != "" {
			id := identity{m.runid, target{m.answer.addr, m.answer.epoch}}
			if seen[id] {
				continue
			}
			seen[id] = true
		}
		out = append(out, m)
	}
	return out
}

// count gives the announcement that has a quorum. Of two (possible while one is
// by way 1 and the other by way 2) it is the one with the higher epoch.
func (s *state) count() tally {
	electors := s.electors()
	best := winner(electors)
	best.base = best.ok
	if wide, ok := s.wideElectors(electors); ok {
		if w := winner(wide); w.ok && (!best.ok || w.epoch > best.epoch) {
			w.base = false
			best = w
		}
	}
	return best
}

// wideElectors adds the learned Sentinels. ok is false if there are none that
// may vote, or if a configured Sentinel that is up cannot say its runid: then it
// might be one of the learned ones under another address, and vote twice.
func (s *state) wideElectors(electors []*member) (wide []*member, ok bool) {
	known := make(map[string]bool)
	for _, m := range electors {
		if m.up && m.runid == "" {
			return nil, false
		}
		known[m.runid] = m.runid != ""
	}
	wide = append(wide, electors...)
	for _, m := range s.learned() {
		if known[m.listedAs] {
			continue
		}
		if m.up && m.runid != m.listedAs {
			continue // somebody else answers at that address
		}
		known[m.listedAs] = true
		wide = append(wide, m)
	}
	return wide, len(wide) > len(electors)
}

// winner gives the announcement of a majority of the electors.
func winner(electors []*member) tally {
	votes := make(map[target]int)
	best := tally{voters: len(electors)}
	for _, m := range electors {
		if !m.up || !m.answer.known {
			continue
		}
		t := target{m.answer.addr, m.answer.epoch}
		votes[t]++
		if votes[t] >= majority(len(electors)) {
			best.target, best.ok = t, true
		}
	}
	best.votes = votes[best.target]
	return best
}
