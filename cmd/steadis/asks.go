package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"steadis/config"
	"steadis/proxy/admin"
)

// asks makes cmd ask the admin server of a running steadis for the action at path, which
// takes most at the longest, and print what has become of it: as text, or as it came with
// --json. An action that isOfMaster is on the one that --master names.
func asks[T any](e *env, cmd *cobra.Command, path string, isOfMaster bool, most time.Duration, text func(T) string) {
	var asJSON bool
	addConfigFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		loaded, err := e.loadChosen(cmd, false)
		if err != nil {
			return err
		}
		path := path
		if isOfMaster && loaded.Master != "" {
			path += "?master=" + url.QueryEscape(loaded.Master)
		}
		if err := canAsk(&loaded.Config); err != nil {
			return err
		}
		done, raw, err := askAction[T](cmd.Context(), &loaded.Config, path, most)
		if err != nil {
			return err
		}
		if asJSON {
			_, err = e.stdout.Write(raw)
			return err
		}
		_, err = fmt.Fprint(e.stdout, text(done))
		return err
	})
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

// askAction asks the admin server that c names.
func askAction[T any](ctx context.Context, c *config.Config, path string, most time.Duration) (done T, raw []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	_, body, err := postAdmin(ctx, c.Admin, path, c.RevealAdminToken())
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
