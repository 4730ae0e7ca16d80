package drill

import (
	"testing"
	"time"
)

func TestConcerns(t *testing.T) {
	for _, tc := range []struct {
		channel, payload string
		want             bool
	}{
		{"+sdown", "master mymaster 10.0.0.1 6379", true},
		{"+sdown", "master other 10.0.0.1 6379", false},
		{"+sdown", "slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379", true},
		{"+sdown", "sentinel abc 10.0.0.11 26379 @ other 10.0.0.1 6379", false},
		{"+switch-master", "mymaster 10.0.0.1 6379 10.0.0.2 6379", true},
		{"+switch-master", "other 10.0.0.1 6379 10.0.0.2 6379", false},
		{"+new-epoch", "4", true},
		{"+vote-for-leader", "abc 4", true},
		{"+tilt", "#tilt mode entered", true},
		{"-tilt", "#tilt mode exited", true},
		{"-failover-abort-not-elected", "master mymaster 10.0.0.1 6379", true},
		{"__sentinel__:hello", "10.0.0.11,26379,abc,4,mymaster,10.0.0.1,6379,4", false},
		{"+odd", "mymaster", false},
		{"", "", false},
	} {
		if got := concerns(tc.channel, tc.payload, "mymaster"); got != tc.want {
			t.Errorf("%s %q: %v", tc.channel, tc.payload, got)
		}
	}
}

func TestPhasesBetween(t *testing.T) {
	at := func(s int) time.Time { return after(time.Duration(s) * time.Second) }
	list := []phase{{at: at(0), name: "serving"}, {at: at(2), name: "holding"}, {at: at(4), name: "serving"}, {at: at(9), name: "out"}}
	got := between(list, at(3), at(8))
	if len(got) != 2 || got[0].name != "holding" || got[0].at != at(3) || got[1].name != "serving" || got[1].at != at(4) {
		t.Errorf("%+v", got)
	}
	if none := between(nil, at(0), at(1)); len(none) != 0 {
		t.Errorf("%+v", none)
	}
}

func TestCountsMinus(t *testing.T) {
	before := counts{Held: 5, Released: 3, Refused: map[string]uint64{"full": 1}, Dropped: 1}
	now := counts{Held: 15, Released: 12, Refused: map[string]uint64{"full": 1, "timeout": 2}, Dropped: 1}
	got := now.minus(before)
	if got.Held != 10 || got.Released != 9 || got.Dropped != 0 || len(got.Refused) != 1 || got.Refused["timeout"] != 2 {
		t.Errorf("%+v", got)
	}
}
