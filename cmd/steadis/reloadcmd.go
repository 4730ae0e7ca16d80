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

// reloadMost is the longest time that a reload takes: it reads a few files.
const reloadMost = 10 * time.Second

func newReloadCommand(e *env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have a running steadis read its configuration again",
		Long: "Asks the steadis on this machine, over its admin server and with admin_token, to read its\n" +
			"configuration again, from the same file, variables and flags, and prints what has changed and\n" +
			"what needs a restart. If anything is at fault nothing changes. As SIGHUP, but with an answer. Takes\n" +
			"the same flags, variables and file as serve; only admin and admin_token matter.",
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
		done, raw, err := askReload(cmd.Context(), &loaded.Config)
		if err != nil {
			return err
		}
		if asJSON {
			_, err = e.stdout.Write(raw)
			return err
		}
		_, err = fmt.Fprint(e.stdout, done.text())
		return err
	})
	return cmd
}

// canAsk says whether c is enough to ask the admin server for something.
func canAsk(c *config.Config) error {
	switch {
	case c.Admin == "":
		return &exitError{code: exitUsage, err: errors.New("admin is empty, so there is no admin server to ask; set it, as for serve")}
	case c.RevealAdminToken() == "":
		return &exitError{code: exitUsage, err: errors.New("admin_token is not set; give steadis serve and this command the same one, for example in STEADIS_ADMIN_TOKEN")}
	}
	return nil
}

// text says what has become of a reload.
func (r reloaded) text() string {
	text := ""
	for _, change := range r.Changed {
		text += "changed        " + change.String() + "\n"
	}
	for _, change := range r.NeedsRestart {
		text += "needs restart  " + change.String() + "\n"
	}
	if text == "" {
		return "Nothing has changed.\n"
	}
	return text
}

// askReload asks the admin server that c names.
func askReload(ctx context.Context, c *config.Config) (done reloaded, raw []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, reloadMost)
	defer cancel()
	_, body, err := postAdmin(ctx, c.Admin, "/api/reload", c.RevealAdminToken())
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
