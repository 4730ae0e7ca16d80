package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// switchoverMost is the longest time that a switchover takes: no longer than HTTP waits.
const switchoverMost = 20 * time.Second

// switched is what the admin server answers: sentinel.Switchover, as far as it is printed.
type switched struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Epoch     uint64 `json:"epoch"`
	HeldMS    int64  `json:"held_ms"`
	DrainMS   int64  `json:"drain_ms"`
	CatchUpMS int64  `json:"catch_up_ms"`
}

func newSwitchoverCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "switchover",
		Short: "Have a running steadis make another node the master, without losing a write",
		Long: "Asks the steadis on this machine, over its admin server and with admin_token, for a planned\n" +
			"switchover: it holds its clients' commands, waits until every replica that Sentinel may choose has\n" +
			"all that the master has, asks for SENTINEL FAILOVER, and goes on at the new master. If that\n" +
			"fails, everything goes on as before. Ends with 0 only if another node is the master now. Takes the same\n" +
			"flags, variables and file as serve; only admin, admin_token and master matter: where there are\n" +
			"several masters, --master chooses one.\n" +
			"Clients of other steadis, and those that bypass it, are stopped too if fence is true.",
	}
	asks(e, cmd, "/api/switchover", true, switchoverMost+healthTimeout, switched.text)
	return cmd
}

// text says what has become of a switchover.
func (s switched) text() string {
	return fmt.Sprintf("%s is the master now, in place of %s (epoch %d).\nCommands waited %d ms: %d ms until the old master had answered all, %d ms for its replicas, the rest for Sentinel.\n",
		s.To, s.From, s.Epoch, s.HeldMS, s.DrainMS, s.CatchUpMS)
}
