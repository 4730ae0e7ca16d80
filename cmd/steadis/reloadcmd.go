package main

import (
	"time"

	"github.com/spf13/cobra"
)

// reloadMost is the longest time that a reload takes: it reads a few files.
const reloadMost = 10 * time.Second

func newReloadCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have a running steadis read its configuration again",
		Long: "Asks the steadis on this machine, over its admin server and with admin_token, to read its\n" +
			"configuration again, from the same file, variables and flags, and prints what has changed and\n" +
			"what needs a restart. If anything is at fault nothing changes. As SIGHUP, but with an answer. Takes\n" +
			"the same flags, variables and file as serve; only admin and admin_token matter.",
	}
	asks(e, cmd, "/api/reload", false, reloadMost, reloaded.text)
	return cmd
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
