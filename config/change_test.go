package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChanges(t *testing.T) {
	base := given{args: []string{"--sentinel", "a:1,b:1", "--master", "m", "--address-map", "a:1=b:1", "--admin-token", "old"}}
	tests := []struct {
		name string
		to   given
		want string
	}{
		{"nothing", base, "[]"},
		{"several, in the order of default.yaml", given{args: []string{"--log-level", "debug", "--hold", "5s", "--sentinel", "a:1,c:1",
			"--master", "m", "--address-map", "a:1=c:1", "--admin-token", "old", "--limits-output", "1mb"}},
			"[sentinel: 'a:1,b:1' -> 'a:1,c:1' hold: '30s' -> '5s' address_map: 'a:1=b:1' -> 'a:1=c:1' limits.output: '64mb' -> '1mb' log.level: 'info' -> 'debug']"},
		{"a secret", given{args: []string{"--sentinel", "a:1,b:1", "--master", "m", "--address-map", "a:1=b:1", "--admin-token", "new"}},
			"[admin_token: '(set)' -> '(set)']"},
		{"a secret is gone", given{args: []string{"--sentinel", "a:1,b:1", "--master", "m", "--address-map", "a:1=b:1"}},
			"[admin_token: '(set)' -> '']"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			from, to := mustLoad(t, base), mustLoad(t, test.to)
			if got := fmt.Sprint(Changes(&from.Config, &to.Config)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestChangesOfSecretFiles: the file is the same, and what is in it is not.
func TestChangesOfSecretFiles(t *testing.T) {
	for _, key := range []string{"admin-token-file", "sentinel-auth-password-file", "upstream-password-file"} {
		t.Run(key, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "secret")
			read := func(secret string) *Config {
				if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				return &mustLoad(t, given{args: []string{"--" + key, file}}).Config
			}
			from, to := read("old"), read("new")
			got := Changes(from, to)
			if len(got) != 1 || !strings.HasSuffix(got[0].To, " (other content)") || got[0].From != file {
				t.Fatalf("got %v", got)
			}
			merged := from.With(to, func(path string) bool { return path == got[0].Key })
			if left := Changes(merged, to); len(left) != 0 {
				t.Errorf("With has not taken it: %v", left)
			}
			if kept := from.With(to, func(string) bool { return false }); len(Changes(from, kept)) != 0 {
				t.Error("With has taken what it should not")
			}
		})
	}
}

// TestWithTakesEveryKey: no key is forgotten, whatever its kind.
func TestWithTakesEveryKey(t *testing.T) {
	from, to := mustLoad(t, given{}), mustLoad(t, given{args: []string{"--sentinel", "a:1", "--hold", "9s", "--fence", "--limits-bulk", "1mb", "--upstream-user", "u",
		"--upstream-password", "p", "--deny-commands", "keys", "--address-map", "a:1=b:1"}})
	if merged := from.With(&to.Config, func(string) bool { return true }); len(Changes(merged, &to.Config)) != 0 {
		t.Errorf("left out: %v", Changes(merged, &to.Config))
	}
}
