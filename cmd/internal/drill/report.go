package drill

import "time"

// Schema is the version of the report's form. Within one version fields are only
// added, and none changes its meaning.
const Schema = 1

// Report is what a drill found out, and report.json as it is written. Names say
// the units: _ms is milliseconds, _bytes bytes, _at a moment in RFC 3339.
type Report struct {
	// Schema is the version of this form.
	Schema int `json:"schema"`
	// ID names the drill and is part of its keys; Version is the drilling steadis'.
	ID      string    `json:"id"`
	Version string    `json:"steadis_version"`
	BeganAt time.Time `json:"began_at"`
	EndedAt time.Time `json:"ended_at"`
	// Passed: every round that was asked for was played, every one saw a failover,
	// and no flaw was found (Failures is empty). Writes in doubt are counted and are no flaw.
	Passed bool `json:"passed"`
	// Verdict is the outcome in a sentence or two.
	Verdict string `json:"verdict"`
	// Failures say why it has not passed.
	Failures []string `json:"failures"`
	// Notes say what could not be seen, and what else should be known.
	Notes []string `json:"notes"`
	// Interrupted: the drill was ended before its last round was over.
	Interrupted bool `json:"interrupted"`

	Plan   Plan    `json:"plan"`
	Total  Figures `json:"total"`
	Rounds []Round `json:"rounds"`
}

// Plan is what the drill was going to do, to what.
type Plan struct {
	Kind Kind `json:"kind"`
	// Method is the command that takes the master away.
	Method string `json:"method"`
	Rounds int    `json:"rounds"`

	// Addr is the proxy that the load goes through; Admin is steadis' admin server, if asked.
	Addr  string `json:"addr"`
	Admin string `json:"admin,omitempty"`
	// Master is Sentinel's name for the master.
	Master            string   `json:"master_name"`
	Sentinels         []string `json:"sentinels"`
	MasterAddr        string   `json:"master_addr"`
	Replicas          []string `json:"replicas"`
	Quorum            int      `json:"quorum"`
	DownAfterMS       float64  `json:"down_after_ms"`
	FailoverTimeoutMS float64  `json:"failover_timeout_ms"`

	Clients int `json:"clients"`
	Readers int `json:"readers"`
	// RatePerSecond is how many writes fall due in a second; 0: each follows the last reply.
	RatePerSecond int     `json:"rate_per_second"`
	ValueBytes    int     `json:"value_bytes"`
	LeadMS        float64 `json:"lead_ms"`
	TrailMS       float64 `json:"trail_ms"`
	LimitMS       float64 `json:"limit_ms"`
	SettleMS      float64 `json:"settle_ms"`
	// FreezeMS is how long a frozen master sleeps, 0 for other kinds.
	FreezeMS float64 `json:"freeze_ms"`
	// KeyPrefix begins the names of all keys that the drill writes, and deletes at the end.
	KeyPrefix string `json:"key_prefix"`
	// Warnings are what whoever confirms should know.
	Warnings []string `json:"warnings"`
}

// Figures count what became of a load. Those of Report.Total are sums over the
// rounds, except the longest times, which are the longest of any round.
type Figures struct {
	// Sent writes were acknowledged, are in doubt, or were answered with an error.
	Sent         int `json:"sent"`
	Acknowledged int `json:"acknowledged"`
	// Lost were acknowledged and are not there.
	Lost int `json:"lost"`
	// Duplicated are there more than once.
	Duplicated int `json:"duplicated"`
	// Reordered stand behind a later one of the same writer.
	Reordered int `json:"reordered"`
	// Foreign elements were never sent.
	Foreign int `json:"foreign"`
	// RefusedPresent were answered with an error that says they did not run, but they did.
	RefusedPresent int `json:"refused_but_present"`
	// InDoubt were answered with -INDOUBT, or lost their connection while they
	// waited; InDoubtPresent of them did run.
	InDoubt        int `json:"in_doubt"`
	InDoubtPresent int `json:"in_doubt_present"`
	// ErrorReplies counts other error replies to writes and reads; ErrorsByClass
	// counts all of them by first word, INDOUBT too.
	ErrorReplies  int            `json:"error_replies"`
	ErrorsByClass map[string]int `json:"errors_by_class"`
	// Dropped counts the clients' connections that were lost.
	Dropped int `json:"dropped_connections"`
	// Reads were answered; StaleReads of them missed writes that had been acknowledged.
	Reads      int `json:"reads"`
	StaleReads int `json:"stale_reads"`
	// Pings are health checks on new connections; FailedPings had another answer than PONG.
	Pings       int `json:"pings"`
	FailedPings int `json:"failed_pings"`
	// LongestWaitMS is the longest that one write waited, answered or not.
	LongestWaitMS float64 `json:"longest_wait_ms"`
	// LongestSilenceMS is the longest stretch after the trigger without any acknowledgement.
	LongestSilenceMS float64 `json:"longest_silence_ms"`
}

// Round is one failover. Times named _ms are relative to the trigger, or to the
// begin of the load if there was none.
type Round struct {
	Number int  `json:"number"`
	Kind   Kind `json:"kind"`
	// Problem says why the round is no proof: nothing was triggered, no other
	// master was announced, or the lists could not be read back. Empty: none.
	Problem     string `json:"problem,omitempty"`
	Interrupted bool   `json:"interrupted"`

	OldMaster string    `json:"old_master"`
	NewMaster string    `json:"new_master,omitempty"`
	BeganAt   time.Time `json:"began_at"`
	// TriggeredAt is when the master was taken away, TriggeredBy who was told.
	TriggeredAt *time.Time `json:"triggered_at,omitempty"`
	TriggeredBy string     `json:"triggered_by,omitempty"`
	BeginMS     float64    `json:"begin_ms"`
	EndMS       float64    `json:"end_ms"`
	// SwitchedMS is when more than half of the Sentinels announced another master.
	SwitchedMS *float64 `json:"switched_ms,omitempty"`
	// BackMS is when writes were acknowledged again after the longest silence.
	BackMS *float64 `json:"back_ms,omitempty"`
	// ThawedMS is when a frozen master answered again.
	ThawedMS *float64 `json:"thawed_ms,omitempty"`

	Figures Figures      `json:"figures"`
	Writes  LatencyTrio  `json:"write_latency"`
	Reads   LatencyTrio  `json:"read_latency"`
	Buckets []Bucket     `json:"buckets"`
	Events  []Event      `json:"sentinel_events"`
	Phases  []PhaseSpan  `json:"steadis_phases"`
	Steadis *HeldFigures `json:"steadis_held,omitempty"`

	// Whole: afterwards every node was master or connected replica again and every
	// Sentinel content, WholeAfterMS after the load ended. Else Missing says what was not.
	Whole        bool     `json:"whole"`
	WholeAfterMS float64  `json:"whole_after_ms"`
	Missing      []string `json:"missing"`
	// Examples names some values that were lost, duplicated or out of order.
	Examples []string `json:"examples"`
	// ErrorTexts has one example for each class of errors; DropCauses why connections were lost.
	ErrorTexts map[string]string `json:"error_texts"`
	DropCauses []string          `json:"drop_causes"`
}

// LatencyTrio has the waits before, during and after the failover. During is from
// the trigger until service was back; what was under way at any time of it belongs to it.
type LatencyTrio struct {
	Before Latency `json:"before"`
	During Latency `json:"during"`
	After  Latency `json:"after"`
}

// Latency sums up the waits of what was answered in one part of a round, which lasted
// from FromMS to ToMS. With no answer all are 0.
type Latency struct {
	FromMS   float64 `json:"from_ms"`
	ToMS     float64 `json:"to_ms"`
	Answered int     `json:"answered"`
	P50MS    float64 `json:"p50_ms"`
	P99MS    float64 `json:"p99_ms"`
	P999MS   float64 `json:"p999_ms"`
	MaxMS    float64 `json:"max_ms"`
}

// Bucket is 100 ms of a load, from AtMS on. Replies are counted when they came, the
// waits by when the write was sent (fell due).
type Bucket struct {
	AtMS         float64 `json:"at_ms"`
	Acknowledged int     `json:"acknowledged"`
	Reads        int     `json:"reads"`
	InDoubt      int     `json:"in_doubt"`
	Errors       int     `json:"errors"`
	// Unanswered writes lost their connection, or were given up at the end.
	Unanswered int `json:"unanswered"`
	// Sent counts the writes whose waits the percentiles are of.
	Sent  int     `json:"sent"`
	P50MS float64 `json:"p50_ms"`
	P99MS float64 `json:"p99_ms"`
	MaxMS float64 `json:"max_ms"`
}

// Event is what a Sentinel published.
type Event struct {
	AtMS     float64 `json:"at_ms"`
	Sentinel string  `json:"sentinel"`
	Name     string  `json:"name"`
	Text     string  `json:"text"`
}

// PhaseSpan is what steadis did from FromMS to ToMS, as its admin server said when
// asked every 25 ms.
type PhaseSpan struct {
	FromMS float64 `json:"from_ms"`
	ToMS   float64 `json:"to_ms"`
	// Phase is serving, holding, draining, out, or unknown while it did not answer.
	Phase  string `json:"phase"`
	Master string `json:"master,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// HeldFigures are steadis' own counters over the round, all clients together.
type HeldFigures struct {
	Held     uint64            `json:"held"`
	Released uint64            `json:"released"`
	Refused  map[string]uint64 `json:"refused"`
	Dropped  uint64            `json:"dropped"`
}
