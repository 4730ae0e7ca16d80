package main

import (
	"strings"
	"testing"

	"steadis/config/deploy"
)

func TestHelpTopics(t *testing.T) {
	_, help, _ := steadis(t.Context(), nil, "--help")
	names := map[string]bool{}
	for _, newCommand := range commands {
		names[newCommand(&env{}).Name()] = true
	}
	for _, page := range deploy.Guide() {
		if names[page.Name] {
			t.Errorf("%s is a command and a topic", page.Name)
		}
		if !strings.Contains(help, "steadis "+page.Name) || !strings.Contains(help, page.Title) {
			t.Errorf("the help does not list %s (%s)", page.Name, page.Title)
		}
		code, text, stderr := steadis(t.Context(), nil, "help", page.Name)
		if code != exitClean || strings.TrimSpace(text) != page.Text {
			t.Errorf("help %s: %d, %s%s", page.Name, code, text, stderr)
		}
	}
}
