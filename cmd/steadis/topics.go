package main

import (
	"github.com/spf13/cobra"

	"steadis/config/deploy"
)

// newTopics makes a help topic of every page of the guide: a command that cannot be run and
// has a long help.
func newTopics() []*cobra.Command {
	var topics []*cobra.Command
	for _, page := range deploy.Guide() {
		topics = append(topics, &cobra.Command{Use: page.Name, Short: page.Title, Long: page.Text})
	}
	return topics
}
