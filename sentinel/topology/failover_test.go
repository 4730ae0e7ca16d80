package topology

import (
	"testing"
	"time"
)

func TestFailovers(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }
	switches := []Switch{
		{At: at(300), From: "a", To: "b", Epoch: 2, Generation: 2, Kind: Planned,
			Phases: []Step{{at(0), "+try-failover", "s1"}, {at(300), "follow b", ""}}},
		{At: at(9000), From: "b", To: "c", Epoch: 3, Generation: 3, Kind: Unplanned, Phases: []Step{{at(8000), "+odown", "s2"}}},
	}
	outages := []Outage{
		{Began: at(-500), FromGeneration: 0, ToGeneration: 1, Resumed: at(-400)},
		{Began: at(10), Resumed: at(310), Drained: at(320), From: "a", To: "b", FromGeneration: 1, ToGeneration: 2,
			Steps: []Step{{at(10), "holding", ""}, {at(310), "serving", ""}}, Commands: HeldCommands{Held: 7, Released: 7}},
		{Began: at(5000), Resumed: at(5100), Drained: at(5100), From: "b", To: "b", FromGeneration: 2, ToGeneration: 2},
		{Began: at(8100), From: "b", To: "c", FromGeneration: 2, ToGeneration: 3},
		{Began: at(9900), From: "c", To: "c", FromGeneration: 3, ToGeneration: 3},
	}
	got := Failovers(switches, outages)
	want := []struct {
		outcome, kind string
		steps         int
	}{{UnderWay, "", 0}, {Switched, Unplanned, 1}, {SameMaster, "", 0}, {Switched, Planned, 4}}
	if len(got) != len(want) {
		t.Fatalf("%d rows: %+v", len(got), got)
	}
	for i, w := range want {
		if got[i].Outcome != w.outcome || got[i].Kind != w.kind || len(got[i].Timeline) != w.steps {
			t.Errorf("row %d: %+v, want %+v", i, got[i], w)
		}
	}
	var names []string
	for _, s := range got[3].Timeline {
		names = append(names, s.Name)
	}
	if order := names; order[0] != "+try-failover" || order[1] != "holding" || order[2] != "follow b" || order[3] != "serving" {
		t.Errorf("the timeline is %v", order)
	}
	if got[3].Commands.Held != 7 || len(outages[1].Steps) != 2 {
		t.Errorf("%+v, %+v", got[3].Commands, outages[1].Steps)
	}
	if rows := Failovers(nil, nil); rows == nil || len(rows) != 0 {
		t.Errorf("nothing gives %v", rows) // [] in JSON, not null
	}
}
