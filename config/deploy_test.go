package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
		if variable, _, _ := strings.Cut(assignment, "="); found && !variables[variable] && variable != "FDSTORE" {
			t.Errorf("the unit sets %s, which is no variable of steadis", variable)
		}
	}
	c := mustLoad(t, given{})
	if c.Limits.Clients*2 >= 32768 || !strings.Contains(string(unit), "\nLimitNOFILE=32768\n") {
		t.Errorf("LimitNOFILE does not fit limits.clients %d", c.Limits.Clients)
	}
	kept := strconv.Itoa(c.Limits.Clients + 2)
	if !strings.Contains(string(unit), "\nFileDescriptorStoreMax="+kept+"\n") || !strings.Contains(string(unit), "\nEnvironment=FDSTORE="+kept+"\n") {
		t.Errorf("the unit does not keep %s descriptors: limits.clients and the book", kept)
	}
	if c.Drain.Seconds() >= 20 || !strings.Contains(string(unit), "\nTimeoutStopSec=20s\n") {
		t.Errorf("TimeoutStopSec does not fit drain %v", c.Drain)
	}
}

// TestUnitsAsSystemdReadsThem has systemd itself read the units, where it is installed: it
// names every section, key and value that it does not know.
func TestUnitsAsSystemdReadsThem(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "steadis")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	args := []string{"verify", "--man=no", "--generators=no"}
	for _, name := range []string{"steadis.service", "steadis.socket"} {
		unit, err := os.ReadFile("deploy/" + name)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(unit), "/usr/local/bin/steadis", program)), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "steadis") { // others' units are others' business
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil && !t.Failed() {
		t.Skipf("systemd-analyze cannot run here: %v\n%s", err, out)
	}
}
