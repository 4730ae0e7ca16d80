package sentinel

import (
	"testing"
	"time"

	"steadis/sentinel/topology"
)

func TestParseReplicas(t *testing.T) {
	o, err := Options{Addresses: []string{"s:1"}, Master: "m", AddressMap: map[string]string{"10.0.0.2:6379": "outside:7002"}}.normalized()
	if err != nil {
		t.Fatal(err)
	}
	got := parseReplicas(&o, []map[string]string{
		{"ip": "10.0.0.2", "port": "6379", "flags": "slave", "master-link-status": "ok", "slave-priority": "100", "slave-repl-offset": "42", "master-host": "10.0.0.1", "master-port": "6379"},
		{"ip": "", "port": "0"},
		{"ip": "10.0.0.3", "port": "6379", "flags": "s_down,slave,disconnected", "master-link-status": "err", "slave-priority": "x", "slave-repl-offset": "-1"},
	})
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	if r := got[0]; r.Address != "outside:7002" || r.Announced != "10.0.0.2:6379" || r.Offset != 42 || r.Master != "10.0.0.1:6379" || !r.Good() {
		t.Errorf("%+v", r)
	}
	if r := got[1]; r.Good() || r.Offset != 0 || r.Priority != 0 {
		t.Errorf("%+v", r)
	}
	var many []map[string]string
	for range 1000 {
		many = append(many, map[string]string{"ip": "10.0.0.9", "port": "1"})
	}
	if n := len(parseReplicas(&o, many)); n != maxReplicas {
		t.Errorf("%d of 1000", n)
	}
}

// TestReplicasOfTheFollowedMaster: a list counts only from a Sentinel that announces the
// master that is followed, and never has that master in it.
func TestReplicasOfTheFollowedMaster(t *testing.T) {
	s := newState(&Options{Addresses: []string{"s:1"}, Master: "m"}, time.Now())
	s.generation, s.followed = 1, target{"a:1", 3}
	tell := func() {
		s.step(replicated{from: "s:1", replicas: []replica{{Address: "a:1"}, {Address: "b:1"}}}, time.Now())
	}
	tell()
	s.step(replicated{from: "nobody:1", replicas: []replica{{Address: "c:1"}}}, time.Now())
	if rows := s.replicaRows(); len(rows) != 0 {
		t.Errorf("of another master: %+v", rows)
	}
	s.members["s:1"].answer = answer{known: true, addr: "a:1", subject: "a:1", epoch: 3}
	tell()
	if rows := s.replicaRows(); len(rows) != 1 || rows[0].Address != "b:1" {
		t.Errorf("%+v", rows)
	}
}

// TestKindOfASwitch: what the signs of the last minute make of a change of master.
func TestKindOfASwitch(t *testing.T) {
	now := time.Now()
	about := func(f flags) answer { return answer{known: true, addr: "a:1", subject: "a:1", flags: f} }
	for _, tt := range []struct {
		name  string
		signs []answer
		after time.Duration
		want  string
	}{
		{"none", nil, 0, topology.Announced},
		{"s_down of one", []answer{about(flagSDown)}, 0, topology.Announced},
		{"forced", []answer{about(flagFailover)}, time.Second, topology.Planned},
		{"down, then a failover", []answer{about(flagODown), about(flagODown | flagFailover)}, time.Second, topology.Unplanned},
		{"of another node", []answer{{known: true, addr: "b:1", subject: "b:1", flags: flagODown}}, 0, topology.Announced},
		{"long ago", []answer{about(flagODown)}, time.Hour, topology.Announced},
	} {
		s := &state{generation: 1, followed: target{"a:1", 1}}
		for _, a := range tt.signs {
			s.noteSigns(a, now)
		}
		if got := s.kind(now.Add(tt.after)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
