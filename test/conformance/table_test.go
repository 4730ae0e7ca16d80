package conformance

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"steadis/test/workload/wire"
)

// testCase is one line of a table of commands: commands that are sent to a
// connection on the data of the fixture.
type testCase struct {
	where    string // file:line, and what was derived from it
	commands [][]string
	flags    map[string]bool
}

// knownFlags are what may stand in brackets before a line's commands.
var knownFlags = map[string]string{
	"fresh":      "on a connection of its own: it changes the connection's state",
	"nomulti":    "not inside MULTI",
	"noinline":   "not as a line",
	"slow":       "only as a single command and in one batch",
	"background": "it starts a background process, whose end is awaited",
	"chance":     "what it leaves behind depends on chance or time, so the data are not compared",
	"config":     "it changes settings of the server, which are put back",
	"refused":    "refused by steadis and dangerous, so only steadis is asked (TestRefused)",
}

// family is a file of cases.
type family struct {
	name  string
	cases []testCase
}

// readFamilies reads testdata/commands.
func readFamilies(t testing.TB) []family {
	t.Helper()
	paths, err := filepath.Glob("testdata/commands/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no tables of commands: %v", err)
	}
	var out []family
	for _, path := range paths {
		f := family{name: strings.TrimSuffix(filepath.Base(path), ".txt")}
		for _, l := range readListing(t, path).lines {
			tc, err := readCase(l.text)
			if err != nil {
				t.Fatalf("%s:%d: %v", path, l.number, err)
			}
			tc.where = fmt.Sprintf("%s:%d", filepath.Base(path), l.number)
			f.cases = append(f.cases, tc)
		}
		out = append(out, f)
	}
	return out
}

func readCase(text string) (testCase, error) {
	tc := testCase{flags: map[string]bool{}}
	if inside, rest, found := strings.Cut(text, "]"); found && text[0] == '[' {
		for flag := range strings.SplitSeq(inside[1:], ",") {
			if knownFlags[flag] == "" {
				return tc, fmt.Errorf("unknown flag %q", flag)
			}
			tc.flags[flag] = true
		}
		text = rest
	}
	var err error
	tc.commands, err = commandsOf(text)
	return tc, err
}

// served is what the running server says of a command.
type served struct {
	name  string // "client|list"
	arity int
	keys  bool // it has keys
}

// askServed reads the server's COMMAND list, subcommands included.
func askServed(t testing.TB, c *wire.Conn) map[string]served {
	t.Helper()
	reply, err := do(c, "COMMAND")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]served{}
	addServed(out, reply)
	if len(out) < 200 {
		t.Fatalf("COMMAND lists only %d commands", len(out))
	}
	return out
}

func addServed(out map[string]served, list any) {
	entries, _ := list.([]any)
	for _, e := range entries {
		entry, _ := e.([]any)
		if len(entry) < 10 {
			continue
		}
		name, _ := entry[0].(string)
		arity, _ := entry[1].(int64)
		specs, _ := entry[8].([]any)
		out[name] = served{name, int(arity), len(specs) > 0}
		addServed(out, entry[9])
	}
}

// specimens are the first case of each command, by its name; of a command with
// subcommands, also its bare name.
func specimens(families []family) map[string]testCase {
	out := map[string]testCase{}
	for _, f := range families {
		for _, tc := range f.cases {
			for _, cmd := range tc.commands {
				if name := strings.ToLower(cmd[0]); containers[name] {
					out[name] = testCase{tc.where, [][]string{cmd[:1]}, nil}
				}
				if _, there := out[nameOf(cmd)]; !there {
					out[nameOf(cmd)] = testCase{tc.where, [][]string{cmd}, tc.flags}
				}
			}
		}
	}
	return out
}

// derive makes the cases that every command has: too few and too many arguments,
// its name in other letters, and other keys in the places of its keys.
func derive(t testing.TB, c *wire.Conn, commands map[string]served, families []family) []family {
	t.Helper()
	specimen := specimens(families)
	arity, types := family{name: "arity"}, family{name: "types"}
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		tc, there := specimen[name]
		if !there {
			continue // TestEveryCommandHasACase fails for it
		}
		arity.cases = append(arity.cases, arityCases(tc, commands[name])...)
		if commands[name].keys && !tc.flags["refused"] {
			types.cases = append(types.cases, typeCases(t, c, tc)...)
		}
	}
	return []family{arity, types}
}

// arityCases are only ones that the server refuses before it does anything, and
// odd spellings of a command that may run.
func arityCases(tc testCase, s served) (out []testCase) {
	cmd := tc.commands[0]
	variant := func(what string, args []string) {
		out = append(out, testCase{tc.where + " " + what, [][]string{args}, tc.flags})
	}
	words := 1 + strings.Count(s.name, "|")
	least := max(s.arity, -s.arity)
	if least > words {
		variant("too few", cmd[:min(len(cmd), least-1)])
	}
	if least > words+1 {
		variant("far too few", cmd[:words])
	}
	if s.arity > 0 {
		variant("too many", append(slices.Clone(cmd[:min(len(cmd), least)]), "extra"))
	}
	if containers[s.name] {
		variant("no such subcommand", []string{cmd[0], "nosuch"})
	}
	if !tc.flags["refused"] {
		odd := slices.Clone(cmd)
		for i := range words {
			odd[i] = oddLetters(odd[i])
		}
		variant("odd letters", odd)
	}
	return out
}

func oddLetters(s string) string {
	b := []byte(strings.ToLower(s))
	for i := 0; i < len(b); i += 2 {
		b[i] = strings.ToUpper(s)[i]
	}
	return string(b)
}

// fixtureTypes are keys of the fixture, one of each type, and one that is missing.
var fixtureTypes = []string{"none", "str", "num", "list", "ints", "zset", "hash", "stream", "hll"}

func typeCases(t testing.TB, c *wire.Conn, tc testCase) (out []testCase) {
	t.Helper()
	cmd := tc.commands[0]
	reply, err := do(c, append([]string{"COMMAND", "GETKEYS"}, cmd...)...)
	if err != nil {
		return nil // no keys among these arguments
	}
	keys := wire.Strings(reply)
	for _, place := range slices.Compact([]int{0, len(keys) - 1}) {
		at := keyIndex(cmd, keys, place)
		if at < 0 {
			continue
		}
		for _, key := range fixtureTypes {
			args := slices.Clone(cmd)
			args[at] = key
			out = append(out, testCase{fmt.Sprintf("%s with %s as key %d", tc.where, key, place+1), [][]string{args}, tc.flags})
		}
	}
	return out
}

// keyIndex finds the place of a key among the arguments.
func keyIndex(cmd, keys []string, place int) int {
	from := 1
	for i, key := range keys {
		at := slices.Index(cmd[from:], key)
		if at < 0 {
			return -1
		}
		if i == place {
			return from + at
		}
		from += at + 1
	}
	return -1
}
