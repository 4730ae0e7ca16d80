package config

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// hashOf1 and hashOf2 are two hashes as users are given them.
var (
	hashOf1 = "#" + strings.Repeat("1", 2*sha256.Size)
	hashOf2 = "#" + strings.Repeat("AB", sha256.Size)
)

func digest(b byte) (hash [sha256.Size]byte) {
	for i := range hash {
		hash[i] = b
	}
	return hash
}

// userFile writes a users file and gives its name.
func userFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestUsers(t *testing.T) {
	want := []User{
		{Name: "app", Hashes: [][sha256.Size]byte{digest(0x11), digest(0xab)}},
		{Name: "guest", NoPass: true},
	}
	file := userFile(t, "; who may come\n\napp  "+hashOf1+" "+hashOf2+"\r\nguest nopass")
	for _, g := range []given{
		{file: "auth: static\nusers:\n  app: '" + hashOf1 + " " + hashOf2 + "'\n  guest: nopass\n"},
		{args: []string{"--auth", "static", "--users", "app=" + hashOf1 + " " + hashOf2 + ",guest=nopass"}},
		{env: []string{"STEADIS_AUTH=static", "STEADIS_USERS=app=" + hashOf1 + " " + hashOf2 + ",guest=nopass"}},
		{args: []string{"--auth", "static", "--users-file", file}},
	} {
		loaded := mustLoad(t, g)
		if got := loaded.RevealUsers(); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v:\ngot  %v\nwant %v", g, got, want)
		}
		text, err := loaded.YAML()
		if err != nil || strings.Contains(string(text), "1111") || strings.Contains(string(text), "ABAB") {
			t.Errorf("%v: shows hashes:\n%s", err, text)
		}
	}
}

func TestUsersAreMasked(t *testing.T) {
	loaded := mustLoad(t, given{file: "auth: static\nusers: {app: '" + hashOf1 + "', guest: nopass}\n"})
	text, err := loaded.YAML()
	if err != nil || !strings.Contains(string(text), "  app: (set)\n  guest: nopass\n") {
		t.Errorf("%v:\n%s", err, text)
	}
	if loaded.Users["app"].Reveal() != hashOf1 {
		t.Error("the hash is not there any more")
	}
}
