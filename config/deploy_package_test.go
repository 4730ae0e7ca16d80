package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestPackageFits compares the Debian package with what it is built of: test/package/run.sh installs it.
func TestPackageFits(t *testing.T) {
	var nfpm struct {
		Contents []struct {
			Source string `yaml:"src"`
			Type   string `yaml:"type"`
		} `yaml:"contents"`
		Scripts map[string]string `yaml:"scripts"`
	}
	if err := yaml.Unmarshal(mustRead(t, "deploy/package/nfpm.yaml"), &nfpm); err != nil {
		t.Fatal(err)
	}
	build := string(mustRead(t, "deploy/package/build.sh"))
	for _, content := range nfpm.Contents {
		if content.Type == "config" && !strings.Contains(build, " "+content.Source+" ") {
			t.Errorf("build.sh does not lay out %s", content.Source)
		}
	}
	for when, script := range nfpm.Scripts {
		file := filepath.Join("deploy/package", filepath.Base(script))
		info, err := os.Stat(file)
		if err != nil || info.Mode()&0o100 == 0 {
			t.Errorf("%s: %s is not there or cannot be run (%v)", when, file, err)
		}
		if !strings.HasPrefix(string(mustRead(t, file)), "#!/bin/sh\n") || !strings.Contains(string(mustRead(t, file)), "\nset -e\n") {
			t.Errorf("%s goes on after an error", file)
		}
	}
	// The unit runs as the user that the package makes, because the names are the same.
	unit, sysusers := string(mustRead(t, "deploy/steadis.service")), string(mustRead(t, "deploy/package/sysusers.conf"))
	if !strings.Contains(unit, "\nDynamicUser=yes\n") || strings.Contains(unit, "\nUser=") || !strings.Contains(sysusers, "\nu steadis ") {
		t.Error("the unit and sysusers.conf do not name one user")
	}
	if strings.Count(unit, "/usr/local/bin/steadis") == 0 || !strings.HasPrefix(unit, "#") {
		t.Error("the unit has changed in what build.sh changes in it: its first comment and the program's path")
	}
}
