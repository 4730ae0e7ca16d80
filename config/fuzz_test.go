package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
)

// FuzzLoad gives the loader any file, variable and flag. It must not panic, must
// say the same twice, and what it accepts must be valid and survive being printed.
func FuzzLoad(f *testing.F) {
	f.Add(DefaultYAML, "STEADIS_HOLD=5s", "10.0.0.1:26379")
	f.Fuzz(func(t *testing.T, file []byte, variable, sentinel string) {
		name := filepath.Join(t.TempDir(), "steadis.yaml")
		if err := os.WriteFile(name, file, 0o600); err != nil {
			t.Fatal(err)
		}
		flags := pflag.NewFlagSet("fuzz", pflag.ContinueOnError)
		AddFlags(flags)
		if err := flags.Set("sentinel", sentinel); err != nil {
			t.Fatal(err)
		}
		in := Input{File: name, Environ: []string{variable}, Flags: flags}
		loaded, err := Load(in)
		if _, twice := Load(in); (err == nil) != (twice == nil) || err != nil && err.Error() != twice.Error() {
			t.Fatalf("two loads differ:\n%v\n%v", err, twice)
		}
		if err != nil {
			return
		}
		if faults := loaded.Validate(); len(faults) > 0 {
			t.Fatalf("accepted with %v", faults)
		}
		loaded.Warnings()
		if loaded.SentinelAuth.PasswordFile == "" && loaded.Upstream.PasswordFile == "" {
			again(t, loaded)
		}
	})
}
