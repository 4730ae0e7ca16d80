package sentinel

import (
	"testing"
	"time"

	"steadis/sentinel/topology"
)

// An answer to a question that was sent before the event crosses it on the way:
// it still says that all is well, and must not end the hold.
func TestAnAnswerThatCrossedTheEventEndsNoHold(t *testing.T) {
	w := newWorld(t, 3)
	w.roles[address("A")] = roleMaster
	for _, s := range []string{"S0", "S1", "S2"} {
		w.sentinel("", address(s), []string{"says", "A", "0"})
	}
	w.until(w.start.Add(time.Minute))
	sent := w.now
	w.now = w.now.Add(time.Millisecond)
	w.feed(heard{from: address("S0"), event: event{"+try-failover", "mymaster", "master", address("A")}})
	w.now = w.now.Add(time.Millisecond)
	w.feed(answered{from: address("S0"), asked: sent, answer: w.words[address("S0")].answer})
	if w.shown.Phase != topology.Holding || len(w.core.claimants()) != 1 {
		t.Errorf("%+v", w.shown)
	}
}

// step may be told anything about members that have been forgotten meanwhile.
func TestInputsOfForgottenSentinelsAreIgnored(t *testing.T) {
	w := newWorld(t, 1)
	for _, in := range []input{answered{from: "x:1"}, failed{from: "x:1"}, subscription{from: "x:1", on: true},
		heard{from: "x:1", event: event{name: "+try-failover"}}, listed{from: "x:1"}, roleSaid{id: 9, role: roleMaster}, ticked{}} {
		w.feed(in)
	}
	if w.shown.Generation != 0 || len(w.core.members) != 1 {
		t.Errorf("%+v", w.shown)
	}
}
