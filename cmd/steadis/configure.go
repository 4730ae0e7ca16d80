package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"steadis/config"
)

func newConfigCommand(e *env) *cobra.Command {
	var printDefault bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration",
		Long: "Prints the configuration that serve would use with the same flags, variables and file, and\n" +
			"where each value that is not a default comes from. Passwords are masked. With --default, prints\n" +
			"the commented file of all keys and their defaults.",
	}
	addConfigFlags(cmd)
	cmd.Flags().BoolVar(&printDefault, "default", false, "Print the commented default file instead")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		text := config.DefaultYAML
		if !printDefault {
			loaded, err := e.loadConfig(cmd, false)
			if err != nil {
				return err
			}
			if text, err = loaded.YAML(); err != nil {
				return err
			}
			for _, warning := range loaded.Warnings() {
				if _, err := fmt.Fprintln(e.stderr, "steadis: warning: "+warning); err != nil {
					return err
				}
			}
		}
		_, err := e.stdout.Write(text)
		return err
	})
	return cmd
}
