package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"steadis/config"
)

var steadisVariable = regexp.MustCompile(`\bSTEADIS_[A-Z_]+\b`)

// What tests and scripts are told by variables has names of its own, TEST_...: a steadis
// that a test starts inherits them, and one that is none of its settings ends it.
func TestTestsHaveTheirOwnVariables(t *testing.T) {
	files := []string{"../../Makefile", "../../.ci/run"}
	err := filepath.WalkDir("../../test", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range steadisVariable.FindAllString(string(body), -1) {
			if unknownVariable(name) {
				t.Errorf("%s: %s is none of steadis' settings; call it TEST_...", path, name)
			}
		}
	}
	if !unknownVariable("STEADIS_ROUNDS") || unknownVariable("STEADIS_HOLD") {
		t.Error("this test cannot tell settings from other variables")
	}
}

func unknownVariable(name string) bool {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.AddFlags(flags)
	_, err := config.Load(config.Input{Environ: []string{name + "=x"}, Flags: flags})
	return err != nil && strings.Contains(err.Error(), "unknown variable")
}
