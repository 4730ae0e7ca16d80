package sentinel

import (
	"time"

	"steadis/sentinel/topology"
)

// Status is what the control plane knows, for /api/status. It is a copy.
type Status struct {
	// MasterName is the name that the Sentinels monitor.
	MasterName string `json:"master_name"`
	// View is the decision that the data path works by.
	View ViewStatus `json:"view"`
	// Configured counts the configured Sentinels, Majority how many of them
	// must agree before traffic moves.
	Configured int `json:"configured"`
	Majority   int `json:"majority"`
	// Holds counts the holds since the start.
	Holds uint64 `json:"holds"`
	// Sentinels has one row per Sentinel, the configured ones first.
	Sentinels []SentinelStatus `json:"sentinels"`
	// Replicas are those that the Sentinel which was asked last listed: at most 32.
	Replicas []ReplicaStatus `json:"replicas"`
	// Switches are the last changes of master, oldest first, at most 50.
	Switches []Switch `json:"switches"`
}

// ViewStatus is topology.View for JSON.
type ViewStatus struct {
	Master     string    `json:"master"`
	Epoch      uint64    `json:"epoch"`
	Generation uint64    `json:"generation"`
	Phase      string    `json:"phase"`
	Since      time.Time `json:"since"`
	Reason     string    `json:"reason"`
}

// SentinelStatus is what one Sentinel last said.
type SentinelStatus struct {
	// Address is what is dialled, RunID what the Sentinel says its id is
	// (SENTINEL MYID, 6.2 and later), empty while unknown.
	Address string `json:"address"`
	RunID   string `json:"runid,omitempty"`
	// Learned is false for a configured Sentinel.
	Learned bool `json:"learned"`
	// Connected: its last question was answered. Subscribed: its events arrive;
	// a Sentinel that is connected only is polled.
	Connected  bool `json:"connected"`
	Subscribed bool `json:"subscribed"`
	// LastAnswerAgeMS is how long ago it last answered, -1 if it never did.
	LastAnswerAgeMS int64 `json:"last_answer_age_ms"`
	// Master is whom it announces, after the address map; Epoch its config-epoch;
	// Flags as it gives them. Empty if it does not know the name.
	Master string `json:"master,omitempty"`
	Epoch  uint64 `json:"epoch"`
	Flags  string `json:"flags,omitempty"`
	// Quorum and OtherSentinels as it gives them: its quorum for o_down, and how
	// many further Sentinels it knows.
	Quorum         int `json:"quorum"`
	OtherSentinels int `json:"other_sentinels"`
	// Claim says why this Sentinel asks for a hold, Distrusted that its lone
	// claims are being ignored because the last one came to nothing.
	Claim      string `json:"claim,omitempty"`
	Distrusted bool   `json:"distrusted,omitempty"`
	// Error is why it is not connected, or what it refused.
	Error string `json:"error,omitempty"`
}

// Switch is one change of master that this process followed.
type Switch = topology.Switch

// SwitchPhase is one step of a failover and who said so.
type SwitchPhase = topology.Step
