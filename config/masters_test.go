package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const twoInFile = "masters:\n  - name: cache\n    listen: [':6379', 'unix:/run/a b']\n    hold: 5s\n  - {name: sessions, listen: ':6380', listen_replicas: [':6381']}\n"

func TestMasters(t *testing.T) {
	want := []Master{
		{Name: "cache", Listen: []string{":6379", "unix:/run/c"}, Hold: 5 * time.Second},
		{Name: "sessions", Listen: []string{":6380"}, ListenReplicas: []string{":6381"}},
	}
	const text = "cache=:6379 unix:/run/c hold=5s,sessions=:6380 listen_replicas=:6381"
	for name, g := range map[string]given{
		"a flag":                {args: []string{"--masters", text}},
		"a flag given twice":    {args: []string{"--masters", "cache=:6379 unix:/run/c hold=5s", "--masters", "sessions=:6380 listen_replicas=:6381"}},
		"a variable":            {env: []string{"STEADIS_MASTERS=" + text}},
		"a file":                {file: strings.Replace(twoInFile, "/run/a b", "/run/c", 1)},
		"a file that is a text": {file: "masters: '" + text + "'\n"},
		"a flag beats a file":   {args: []string{"--masters", text}, file: twoInFile},
	} {
		loaded := mustLoad(t, g)
		if !reflect.DeepEqual(loaded.Masters, want) || len(loaded.Listen) != 0 || !loaded.Several() {
			t.Errorf("%s: %#v, listen %q", name, loaded.Masters, loaded.Listen)
		}
		if got := valueText(loaded.Masters); got != text {
			t.Errorf("%s: written %q", name, got)
		}
	}
	again(t, mustLoad(t, given{file: twoInFile}))
	if none := mustLoad(t, given{}); none.Several() || fmt.Sprint(none.Listen) != "[127.0.0.1:6379]" {
		t.Errorf("without: %v %v", none.Several(), none.Listen)
	}
}

func TestMastersInYAML(t *testing.T) {
	text, err := mustLoad(t, given{file: twoInFile}).YAML()
	want := "steadis.yaml, line 1\nmasters:\n  - name: cache\n    listen: [\":6379\", \"unix:/run/a b\"]\n    hold: 5s\n" +
		"  - name: sessions\n    listen: [\":6380\"]\n    listen_replicas: [\":6381\"]\nlisten: []\n"
	if err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%v: %q is missing from\n%s", err, want, text)
	}
}

func TestPerMaster(t *testing.T) {
	c := mustLoad(t, given{file: twoInFile, args: []string{"--hold", "20s", "--hold-max-commands", "11", "--hold-max-bytes", "10mb", "--limits-memory", "64mb"}})
	all := c.PerMaster()
	if len(all) != 2 || fmt.Sprint(c.MasterNames()) != "[cache sessions]" {
		t.Fatal(len(all), c.MasterNames())
	}
	for i, want := range []string{
		"cache [:6379 unix:/run/a b] [] 5s 5 5mb 32mb 10000 256mb",
		"sessions [:6380] [:6381] 20s 5 5mb 32mb 10000 256mb",
	} {
		own := all[i]
		got := fmt.Sprintf("%s %v %v %v %d %v %v %d %v", own.Name(), own.Listen, own.ListenReplicas, own.Hold,
			own.HoldMaxCommands, own.HoldMaxBytes, own.Limits.Memory, own.Limits.Clients, own.Limits.QueryMemory)
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if own.Several() || len(own.Validate()) > 0 {
			t.Errorf("%s: %v", own.Name(), own.Validate())
		}
	}
	one := &mustLoad(t, given{args: []string{"--master", "m"}}).Config
	if all := one.PerMaster(); len(all) != 1 || all[0] != one {
		t.Error("one master alone is not itself")
	}
}

// TestReloadOfMasters: what differs in holds alone is taken; the rest is left to a restart.
func TestReloadOfMasters(t *testing.T) {
	from := mustLoad(t, given{args: []string{"--masters", "a=:1 hold=5s,b=:2"}})
	for text, want := range map[string]string{
		"a=:1 hold=5s,b=:2":         "taken [], left []",
		"a=:1 hold=6s,b=:2":         "taken [masters: 'a=:1 hold=5s,b=:2' -> 'a=:1 hold=6s,b=:2'], left []",
		"b=:2 hold=7s,a=:1":         "taken [masters: 'a=:1 hold=5s,b=:2' -> 'a=:1,b=:2 hold=7s'], left [masters: 'a=:1,b=:2 hold=7s' -> 'b=:2 hold=7s,a=:1']",
		"a=:1 hold=5s,b=:2,c=:3":    "taken [], left [masters: 'a=:1 hold=5s,b=:2' -> 'a=:1 hold=5s,b=:2,c=:3']",
		"a=:9 hold=5s,b=:2 hold=7s": "taken [masters: 'a=:1 hold=5s,b=:2' -> 'a=:1 hold=5s,b=:2 hold=7s'], left [masters: 'a=:1 hold=5s,b=:2 hold=7s' -> 'a=:9 hold=5s,b=:2 hold=7s']",
	} {
		to := mustLoad(t, given{args: []string{"--masters", text}})
		next := from.With(&to.Config, func(path string) bool { return path == "masters" })
		if got := fmt.Sprintf("taken %v, left %v", Changes(&from.Config, next), Changes(next, &to.Config)); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
		}
	}
}

// TestChooseOneOfMasters: for what is about one master, master is a choice and no contradiction.
func TestChooseOneOfMasters(t *testing.T) {
	const two = "masters: [{name: a, listen: ':1', hold: 5s}, {name: b, listen: ':2'}]\n"
	tests := []struct {
		name   string
		file   string
		master string
		need   bool
		want   string // the one that is left, or a part of the fault
	}{
		{"one of two", two, "b", true, "b [:2] 30s"},
		{"with its own hold", two, "a", false, "a [:1] 5s"},
		{"none of them", two, "c", false, "master 'c' (STEADIS_MASTER) is none of masters; choose one of a, b"},
		{"none is needed", two, "", false, " [] 30s"},
		{"none, and one is needed", two, "", true, "is not set, and there are several; name the one that this is about: a, b"},
		{"the only one", "masters: [{name: a, listen: ':1'}]\n", "", true, "a [:1] 30s"},
		{"without masters", "listen: ':1'\n", "m", true, "m [:1] 30s"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			loaded, fault := load(t, given{file: test.file, env: []string{"STEADIS_MASTER=" + test.master, "STEADIS_SENTINEL=s:1"}, need: test.need, choose: true})
			if loaded == nil {
				if !strings.Contains(fault, test.want) || strings.Count(fault, "\n") > 0 {
					t.Errorf("got %s, want %s", fault, test.want)
				}
				return
			}
			if got := fmt.Sprintf("%s %v %v", loaded.Master, loaded.Listen, formatDuration(loaded.Hold)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestMastersWarn(t *testing.T) {
	all := strings.Join(mustLoad(t, given{args: []string{"--masters", "a=:1 hold=2s,b=:2"}}).Warnings(), "\n")
	if !strings.Contains(all, "hold of a is 2s: a failover takes") || strings.Contains(all, "of b") {
		t.Error(all)
	}
}
