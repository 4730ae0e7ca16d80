package sentinel

import (
	"errors"
	"fmt"

	"time"
)

// What Check found wrong. Report.Err wraps one of these.
var (
	// ErrNoSentinel: not one of the Sentinels answered.
	ErrNoSentinel = errors.New("no Sentinel is reachable")
	// ErrUnknownMaster: every Sentinel that answered does not know the name.
	ErrUnknownMaster = errors.New("no Sentinel monitors a master of that name")
	// ErrNoMajority: no majority of the configured Sentinels announces one master.
	ErrNoMajority = errors.New("no majority of the Sentinels announces one master")
	// ErrNotMaster: the announced master says that it is a replica.
	ErrNotMaster = errors.New("the announced master says that it is a replica")
	// ErrMasterSilent: the announced master did not answer ROLE.
	ErrMasterSilent = errors.New("the announced master did not answer ROLE")
)

// Report is what Check found.
type Report struct {
	// MasterName is the name that was asked for.
	MasterName string `json:"master_name"`
	// Sentinels has one row per configured Sentinel.
	Sentinels []SentinelStatus `json:"sentinels"`
	// Configured and Majority as in Status.
	Configured int `json:"configured"`
	Majority   int `json:"majority"`
	// View is the verdict that serve would come to now.
	View ViewStatus `json:"view"`
	// Announced is whom a majority announces, empty if nobody; Epoch its epoch.
	Announced string `json:"announced,omitempty"`
	Epoch     uint64 `json:"epoch"`
	// Role is what Announced says it is: "master", "replica", "cannot say" or
	// "no answer"; empty if it was not asked. RoleDetail says why.
	Role       string        `json:"role,omitempty"`
	RoleDetail string        `json:"role_detail,omitempty"`
	RoleTook   time.Duration `json:"role_took_ns,omitempty"`

	err error
}

// Err is nil if serve would work now. Otherwise it wraps one of the errors above
// (or the fault in the Options) and says what to do.
func (r Report) Err() error { return r.err }

// verdict chooses the error for a finished report.
func (r *Report) verdict() error {
	answered, known := 0, 0
	var last string
	for _, s := range r.Sentinels {
		if !s.Connected {
			last = s.Error
			continue
		}
		answered++
		if s.Master != "" {
			known++
		}
	}
	switch {
	case answered == 0:
		return fmt.Errorf("%w (asked %d; last error: %s): check the addresses, the password and the network", ErrNoSentinel, len(r.Sentinels), last)
	case known == 0:
		return fmt.Errorf("%w: %d answered, none knows %q; check the name with SENTINEL MASTERS", ErrUnknownMaster, answered, r.MasterName)
	case r.Announced == "":
		return fmt.Errorf("%w: %d of %d answered and %d know %q, but %d must agree on address and epoch; see the rows above",
			ErrNoMajority, answered, r.Configured, known, r.MasterName, r.Majority)
	case r.Role == roleReplica.String():
		return fmt.Errorf("%w: %s; wait for the failover to end, or look at SENTINEL MASTER %s", ErrNotMaster, r.Announced, r.MasterName)
	case r.Role == roleSilent.String():
		return fmt.Errorf("%w: %s: %s; is it reachable from here? (NAT needs an address map)", ErrMasterSilent, r.Announced, r.RoleDetail)
	}
	return nil
}
