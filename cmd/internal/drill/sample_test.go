package drill

import (
	"strconv"
	"time"

	"steadis/test/workload"
)

// sampleBegan is when every sample began.
var sampleBegan = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// after gives the moment of a sample that is d after its begin.
func after(d time.Duration) time.Time { return sampleBegan.Add(d) }

const (
	sampleLength  = 8 * time.Second
	sampleTrigger = 3 * time.Second
	sampleBack    = 4200 * time.Millisecond
)

// sampleRecord is an open loop of writers with a value each 10 ms, of which those
// that fell due from the trigger until service was back were answered only then.
func sampleRecord(writers int) *workload.Record {
	r := &workload.Record{Began: sampleBegan, Ended: after(sampleLength)}
	for w := range writers {
		record := workload.WriterRecord{Key: string(rune('a' + w)), Errors: map[string]int{}, Texts: map[string]string{}}
		for at := time.Duration(w) * time.Millisecond; at < sampleLength-10*time.Millisecond; at += 10 * time.Millisecond {
			op := workload.Op{Sent: at, Outcome: workload.Acknowledged}
			op.Wait = 300*time.Microsecond + at%(700*time.Microsecond)
			if at >= sampleTrigger && at < sampleBack {
				op.Wait = sampleBack - at + (at-sampleTrigger)/100
			}
			record.Ops = append(record.Ops, op)
		}
		r.Writers = append(r.Writers, record)
	}
	return r
}

// present gives the lists as they are if every write of r ran once.
func present(r *workload.Record) map[string][]string {
	lists := map[string][]string{}
	for _, w := range r.Writers {
		for i := range w.Ops {
			lists[w.Key] = append(lists[w.Key], strconv.Itoa(i+1))
		}
	}
	return lists
}

// sampleMeasured is a freeze that went well.
func sampleMeasured(number int) *measured {
	record := sampleRecord(8)
	m := &measured{
		number: number, kind: Freeze, oldMaster: "10.0.0.1:6379", newMaster: "10.0.0.2:6379", triggeredBy: "10.0.0.1:6379",
		triggered: after(sampleTrigger), switched: after(sampleBack - 60*time.Millisecond), thawed: after(6500 * time.Millisecond),
		load: loaded{record: record}, audit: record.Judge(present(record)),
		counted: true, countsAfter: counts{Held: 10, Released: 10}, whole: true, wholeAfter: 8 * time.Second,
	}
	for at := time.Duration(0); at < sampleLength-100*time.Millisecond; at += 20 * time.Millisecond {
		if at < sampleTrigger || at > sampleBack {
			m.load.reads = append(m.load.reads, workload.Reads{Answered: 1, Ops: []workload.Op{{Sent: at, Wait: time.Millisecond, Outcome: workload.Acknowledged}}})
		}
	}
	for at := time.Duration(0); at < sampleLength; at += 100 * time.Millisecond {
		m.load.pings = append(m.load.pings, workload.Ping{At: after(at), Took: time.Millisecond, Reply: "PONG"})
	}
	sentinels := []string{"10.0.0.11:26379", "10.0.0.12:26379", "10.0.0.13:26379"}
	event := func(ms int, sentinel int, name, text string) {
		m.events = append(m.events, happening{at: after(sampleTrigger + time.Duration(ms)*time.Millisecond), who: sentinels[sentinel], name: name, text: text})
	}
	const about = "master mymaster 10.0.0.1 6379"
	for i := range sentinels {
		event(1010+30*i, i, "+sdown", about)
	}
	event(1080, 1, "+odown", about+" #quorum 2/2")
	event(1080, 1, "+new-epoch", "4")
	event(1081, 1, "+try-failover", about)
	event(1095, 1, "+elected-leader", about)
	event(1110, 1, "+selected-slave", "slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379")
	event(1125, 1, "+promoted-slave", "slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379")
	event(1130, 0, "+switch-master", "mymaster 10.0.0.1 6379 10.0.0.2 6379")
	event(1135, 2, "+switch-master", "mymaster 10.0.0.1 6379 10.0.0.2 6379")
	event(2200, 1, "+switch-master", "mymaster 10.0.0.1 6379 10.0.0.2 6379")
	m.phases = []phase{
		{at: after(-time.Second), name: "serving", master: "10.0.0.1:6379"},
		{at: after(sampleTrigger + 900*time.Millisecond), name: "holding", reason: "no answer to PING within 1s"},
		{at: after(sampleBack - 40*time.Millisecond), name: "draining", reason: "moving to the master 10.0.0.2:6379"},
		{at: after(sampleBack), name: "serving", master: "10.0.0.2:6379"},
	}
	return m
}

// spoil makes a bad round of a good one: a write lost, one doubled, some in doubt,
// errors, a connection dropped, no steadis to ask.
func spoil(m *measured) *measured {
	record := m.load.record
	lists := present(record)
	lists["a"] = append(lists["a"][:99], lists["a"][100:]...)
	lists["b"] = append(lists["b"], "7")
	for i, outcome := range []workload.Outcome{workload.InDoubt, workload.Refused, workload.Unknown} {
		op := &record.Writers[2+i].Ops[int(sampleTrigger/(10*time.Millisecond))]
		op.Outcome = outcome
	}
	refused := int(sampleTrigger/(10*time.Millisecond)) + 1
	lists["d"] = append(lists["d"][:refused-1], lists["d"][refused:]...)
	record.Writers[2].Errors["INDOUBT"], record.Writers[2].Texts["INDOUBT"] = 1, "INDOUBT steadis: it may have run"
	record.Writers[3].Errors["LOADING"], record.Writers[3].Texts["LOADING"] = 1, "LOADING steadis: no master for 'mymaster' since 31 s <script>alert(1)</script>"
	record.Writers[4].Dropped, record.Writers[4].DropCauses = 1, []string{"EOF"}
	m.load.pings[35].Reply, m.load.pings[35].Failed = "dial tcp: connection refused", true
	m.phases, m.counted = nil, false
	m.whole, m.missing = false, []string{"the old master 10.0.0.1:6379 does not answer: connection refused"}
	m.audit = record.Judge(lists)
	return m
}

func sampleReport(rounds ...*measured) *Report {
	r := &Report{
		Schema: Schema, ID: "5a1e0000", Version: "test", BeganAt: sampleBegan, EndedAt: after(time.Minute), Notes: []string{},
		Plan: Plan{
			Kind: Freeze, Method: methodSleep, Rounds: len(rounds), Addr: "10.0.0.9:6379", Admin: "10.0.0.9:9380", Master: "mymaster",
			Sentinels: []string{"10.0.0.11:26379", "10.0.0.12:26379", "10.0.0.13:26379"}, MasterAddr: "10.0.0.1:6379",
			Replicas: []string{"10.0.0.2:6379", "10.0.0.3:6379"}, Quorum: 2, DownAfterMS: 1000, FailoverTimeoutMS: 10000,
			Clients: 8, Readers: 2, RatePerSecond: 800, LeadMS: 3000, TrailMS: 3000, LimitMS: 60000, SettleMS: 60000, FreezeMS: 3500,
			KeyPrefix: "steadis:drill:5a1e0000:", Warnings: []string{},
		},
	}
	for _, m := range rounds {
		round := m.report()
		r.Rounds = append(r.Rounds, round)
		r.Notes = append(r.Notes, remarks(&round)...)
	}
	r.conclude()
	return r
}
