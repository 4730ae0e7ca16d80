package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"steadis/config"
	"steadis/proxy/admin"
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
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "switchover",
		Short: "Have a running steadis make another node the master, without losing a write",
		Long: "Asks the steadis on this machine, over its admin server and with admin_token, for a planned\n" +
			"switchover: it holds its clients' commands, waits until every replica that Sentinel may choose has\n" +
			"all that the master has, asks for SENTINEL FAILOVER, and goes on at the new master. If that\n" +
			"fails, everything goes on as before. Ends with 0 only if another node is the master now. Takes the same\n" +
			"flags, variables and file as serve; only admin and admin_token matter.\n" +
			"Clients of other steadis, and those that bypass it, are stopped too if fence is true.",
	}
	addConfigFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		loaded, err := e.loadConfig(cmd, false)
		if err != nil {
			return err
		}
		if err := canAsk(&loaded.Config); err != nil {
			return err
		}
		done, raw, err := askSwitchover(cmd.Context(), &loaded.Config)
		if err != nil {
			return err
		}
		if asJSON {
			_, err = e.stdout.Write(raw)
			return err
		}
		_, err = fmt.Fprintf(e.stdout, "%s is the master now, in place of %s (epoch %d).\nCommands waited %d ms: %d ms until the old master had answered all, %d ms for its replicas, the rest for Sentinel.\n",
			done.To, done.From, done.Epoch, done.HeldMS, done.DrainMS, done.CatchUpMS)
		return err
	})
	return cmd
}

// askSwitchover asks the admin server that c names.
func askSwitchover(ctx context.Context, c *config.Config) (done switched, raw []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, switchoverMost+healthTimeout)
	defer cancel()
	_, body, err := postAdmin(ctx, c.Admin, "/api/switchover", c.RevealAdminToken())
	if err != nil {
		return done, nil, err
	}
	reply := admin.ActionReply{Result: &done}
	if err := json.Unmarshal(body, &reply); err != nil {
		return done, nil, fmt.Errorf("the admin server on %s answered something else: %q", c.Admin, body[:min(len(body), 200)])
	}
	if reply.Error != "" {
		return done, nil, errors.New(reply.Error)
	}
	return done, body, nil
}
