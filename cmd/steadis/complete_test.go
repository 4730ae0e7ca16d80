package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"steadis/config"
)

// completions asks as the scripts of the shells do, and gives what is offered.
func completions(t *testing.T, args ...string) (offered []string, directive string) {
	t.Helper()
	code, stdout, stderr := steadis(t.Context(), nil, append([]string{"__completeNoDesc"}, args...)...)
	if code != exitClean {
		t.Fatalf("%q: %d, %s", args, code, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	return lines[:len(lines)-1], lines[len(lines)-1]
}

const (
	onlyThese = ":36" // ShellCompDirectiveNoFileComp, KeepOrder
	anyFile   = ":0"  // ShellCompDirectiveDefault
	anyDir    = ":16" // ShellCompDirectiveFilterDirs
)

func TestCompletion(t *testing.T) {
	for _, test := range []struct {
		args      []string
		offered   []string
		directive string
	}{
		{[]string{"serve", "--in-doubt", ""}, []string{"close", "error", "retry"}, onlyThese},
		{[]string{"serve", "--in-doubt", "r"}, []string{"retry"}, onlyThese},
		{[]string{"check", "--log-level=w"}, []string{"warn"}, onlyThese},
		{[]string{"serve", "--without-majority", ""}, []string{"serve", "hold"}, onlyThese},
		{[]string{"serve", "--durable-reads", ""}, []string{"confirmed", "any"}, onlyThese},
		{[]string{"serve", "--fence="}, []string{"true", "false"}, onlyThese},
		{[]string{"drill", "--kind", ""}, []string{"failover", "crash", "freeze"}, onlyThese},
		{[]string{"demo", "--kind", ""}, []string{"crash", "failover", "freeze"}, onlyThese},
		{[]string{"serve", "--hold", ""}, nil, onlyThese},
		{[]string{"serve", "--config", ""}, nil, anyFile},
		{[]string{"serve", "--upstream-password-file", ""}, nil, anyFile},
		{[]string{"man", "--dir", ""}, nil, anyDir},
		{[]string{"sw"}, []string{"switchover"}, ":4"},
	} {
		offered, directive := completions(t, test.args...)
		if !slices.Equal(offered, test.offered) || directive != test.directive {
			t.Errorf("%q: %q %s, want %q %s", test.args, offered, directive, test.offered, test.directive)
		}
	}
}

// What is offered for a key is what the configuration takes, though some need other keys too.
func TestCompletionFitsValidation(t *testing.T) {
	chosen := 0
	for _, k := range config.Keys() {
		for _, choice := range k.Choices {
			chosen++
			_, _, stderr := steadis(t.Context(), nil, "config", "--"+k.Flag+"="+choice)
			if strings.Contains(stderr, "is not one of") || strings.Contains(stderr, "neither true nor false") {
				t.Errorf("--%s=%s: %s", k.Flag, choice, stderr)
			}
		}
	}
	if chosen < 15 {
		t.Errorf("only %d choices are known", chosen)
	}
}

// The shells that are here take the scripts, and bash offers what it should.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		code, script, stderr := steadis(t.Context(), nil, "completion", shell)
		if code != exitClean || !strings.Contains(script, "steadis") {
			t.Errorf("%s: %d, %s", shell, code, stderr)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not here to read its script", shell)
			continue
		}
		file := filepath.Join(t.TempDir(), "script")
		if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), path, "-n", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
}
