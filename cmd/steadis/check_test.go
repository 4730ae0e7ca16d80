package main

import (
	"testing"
	"time"

	"steadis/sentinel"
)

func TestReportText(t *testing.T) {
	report := checkReport{
		Sentinel: sentinel.Report{
			MasterName: "mymaster", Configured: 3, Majority: 2, Announced: "10.0.0.5:6379", Epoch: 7,
			Role: "replica", RoleDetail: "of 10.0.0.6:6379", RoleTook: 1234567 * time.Nanosecond,
			Sentinels: []sentinel.SentinelStatus{
				{Address: "10.0.0.1:26379", Connected: true, Subscribed: true, Master: "10.0.0.5:6379", Epoch: 7, Flags: "master"},
				{Address: "10.0.0.2:26379", Connected: true, Error: "it forbids SUBSCRIBE"},
				{Address: "10.0.0.3:26379", Error: "connection refused"},
			},
		},
		Problem:  "the announced master says that it is a replica",
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
