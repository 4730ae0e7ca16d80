package main

import (
	"testing"
	"time"

	"steadis/sentinel"
)

func TestReportText(t *testing.T) {
	report := checkReport{
		sight: sight{Sentinel: sentinel.Report{
			MasterName: "mymaster", Configured: 3, Majority: 2, Announced: "10.0.0.5:6379", Epoch: 7,
			Role: "replica", RoleDetail: "of 10.0.0.6:6379", RoleTook: 1234567 * time.Nanosecond,
			Sentinels: []sentinel.SentinelStatus{
				{Address: "10.0.0.1:26379", Connected: true, Subscribed: true, Master: "10.0.0.5:6379", Epoch: 7, Flags: "master"},
				{Address: "10.0.0.2:26379", Connected: true, Error: "it forbids SUBSCRIBE"},
				{Address: "10.0.0.3:26379", Error: "connection refused"},
			},
		}, Problem: "the announced master says that it is a replica"},
		Here:     []finding{{"listen :6379", false, "taken"}, {"admin :9380", true, "free"}},
		Warnings: []string{"careful"},
	}
	const want = `SENTINEL        ANSWERS                        MASTER                    EPOCH  FLAGS
10.0.0.1:26379  yes                            10.0.0.5:6379             7      master
10.0.0.2:26379  yes, but it forbids SUBSCRIBE  does not know 'mymaster'  -      -
10.0.0.3:26379  no: connection refused         -                         -      -

master        10.0.0.5:6379, announced by at least 2 of 3 Sentinels, epoch 7
role          10.0.0.5:6379 says: replica (of 10.0.0.6:6379), after 1.23ms
listen :6379  NOT OK: taken
admin :9380   ok: free

warning: careful

serve would not work:
  - the announced master says that it is a replica
  - listen :6379: taken
`
	if got := report.text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestReportTextOfSeveral: a table for each master, and the one that is at fault is named.
func TestReportTextOfSeveral(t *testing.T) {
	found := sentinel.Report{
		MasterName: "a", Configured: 1, Majority: 1, Announced: "10.0.0.5:6379", Epoch: 7, Role: "master",
		Sentinels: []sentinel.SentinelStatus{{Address: "10.0.0.1:26379", Connected: true, Subscribed: true, Master: "10.0.0.5:6379", Epoch: 7, Flags: "master"}},
	}
	nobody := sentinel.Report{MasterName: "longer", Configured: 1, Majority: 1, Sentinels: []sentinel.SentinelStatus{{Address: "10.0.0.1:26379", Connected: true}}}
	report := checkReport{
		Masters: []sight{{Name: "a", Sentinel: found}, {Name: "longer", Sentinel: nobody, Problem: "no Sentinel monitors it"}},
		Here:    []finding{{"listen :6379", true, "free"}},
	}
	const want = `a:
SENTINEL        ANSWERS  MASTER         EPOCH  FLAGS
10.0.0.1:26379  yes      10.0.0.5:6379  7      master

master  10.0.0.5:6379, announced by at least 1 of 1 Sentinels, epoch 7
role    10.0.0.5:6379 says: master

longer:
SENTINEL        ANSWERS  MASTER                  EPOCH  FLAGS
10.0.0.1:26379  yes      does not know 'longer'  -      -

master  nobody: 1 of 1 Sentinels must agree on one
role    not asked

listen :6379  ok: free

serve would not work:
  - longer: no Sentinel monitors it
`
	if got := report.text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
