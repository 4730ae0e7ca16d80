package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"steadis/test/topology"
)

func TestConfigurationsOfPeers(t *testing.T) {
	one, byDefault := haproxyConfig("a:1", "r:2", 1, 900), haproxyConfig("a:1", "r:2", 0, 900)
	if !strings.Contains(one, "nbthread 1\n") || strings.Contains(byDefault, "nbthread") {
		t.Errorf("threads:\n%s%s", one, byDefault)
	}
	for config, wants := range map[string][]string{
		one:                           {"maxconn 900\n", "mode tcp\n", "bind a:1\n", "server redis r:2 ", "expect string master"},
		twemproxyConfig("a:1", "r:2"): {"listen: a:1\n", "- r:2:1\n", "auto_eject_hosts: false", "redis: true"},
		predixyConfig("a:1", "mymaster", []string{"s:1", "s:2"}): {"Bind a:1\n", "+ s:1\n        + s:2\n", "Group mymaster {"},
	} {
		for _, want := range wants {
			if !strings.Contains(config, want) {
				t.Errorf("no %q in\n%s", want, config)
			}
		}
	}
}

// TestAPeerThatEndsIsNoticed: with what it said, and at once.
func TestAPeerThatEndsIsNoticed(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "peer")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho 'line 3 is wrong'\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	addr, err := topology.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	_, err = startPeer(t.Context(), script, dir, "", func(file string) []string { return []string{file} }, running{addr: addr})
	if !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "line 3 is wrong") {
		t.Errorf("%v", err)
	}
}
