package main

import (
	"strings"

	"github.com/spf13/cobra"

	"steadis/config"
)

// completeConfigFlags tells the shell what may stand behind each flag that
// addConfigFlags has added.
func completeConfigFlags(cmd *cobra.Command) {
	for _, k := range config.Keys() {
		if !k.File { // a shell completes files by itself
			completeFlag(cmd, k.Flag, k.Choices...)
		}
	}
}

// completeFlag tells the shell what may stand behind a flag of cmd: one of choices, or
// if there are none, something that cannot be guessed, least of all a file's name.
func completeFlag(cmd *cobra.Command, flag string, choices ...string) {
	// The error is about a flag that cmd does not have, or that has been told already; then
	// nothing is to be told.
	_ = cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		var fit []string
		for _, choice := range choices {
			if strings.HasPrefix(choice, begun) {
				fit = append(fit, choice)
			}
		}
		return fit, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	})
}
