package config

import (
	"os"
	"strings"
	"testing"
)

// TestDeployExamples loads the example file as serve would.
func TestDeployExamples(t *testing.T) {
	loaded, err := Load(Input{File: "deploy/steadis.yaml", NeedDeployment: true})
	if err != nil {
		t.Fatal(err)
	}
	if warnings := loaded.Warnings(); len(warnings) > 0 {
		t.Errorf("the example gives warnings: %q", warnings)
	}
	sentinelConf, err := os.ReadFile("deploy/sentinel.conf")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(sentinelConf), "\nsentinel monitor "+loaded.Master+" ") {
		t.Errorf("sentinel.conf does not monitor %s, which steadis.yaml names", loaded.Master)
	}
}

// TestUnitNamesWhatExists compares the systemd unit with keys and defaults that
// its numbers rest on.
func TestUnitNamesWhatExists(t *testing.T) {
	unit, err := os.ReadFile("deploy/steadis.service")
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]bool{}
	for _, k := range Keys() {
		variables[k.Env] = true
	}
	for line := range strings.Lines(string(unit)) {
		assignment, found := strings.CutPrefix(strings.TrimPrefix(line, "#"), "Environment=")
		if variable, _, _ := strings.Cut(assignment, "="); found && !variables[variable] {
			t.Errorf("the unit sets %s, which is no variable of steadis", variable)
		}
	}
	c := mustLoad(t, given{})
	if c.Limits.Clients*2 >= 32768 || !strings.Contains(string(unit), "\nLimitNOFILE=32768\n") {
		t.Errorf("LimitNOFILE does not fit limits.clients %d", c.Limits.Clients)
	}
	if c.Drain.Seconds() >= 20 || !strings.Contains(string(unit), "\nTimeoutStopSec=20s\n") {
		t.Errorf("TimeoutStopSec does not fit drain %v", c.Drain)
	}
}
