package command

import (
	"slices"
	"strings"
	"testing"
)

func mustNew(t testing.TB, p Policy) *Table {
	t.Helper()
	table, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// refusals are all commands that are refused by default, each with what it is
// once it is allowed; never: no policy allows it.
var refusals = []struct {
	line  string
	verb  Verb
	alone bool
	never bool
}{
	{line: "REPLICAOF h 1"},
	{line: "SLAVEOF h 1"},
	{line: "FAILOVER"},
	{line: "SYNC", never: true},
	{line: "PSYNC ? -1", never: true},
	{line: "REPLCONF ack 1", never: true},
	{line: "SHUTDOWN", verb: Shutdown, alone: true},
	{line: "DEBUG SLEEP 1", verb: Debug, alone: true},
	{line: "MODULE LOAD /x"},
	{line: "MODULE LOADEX /x"},
	{line: "MODULE UNLOAD x"},
	{line: "CLIENT PAUSE 1", verb: ClientPause, alone: true},
	{line: "CLIENT UNPAUSE", verb: ClientUnpause, alone: true},
	{line: "SCRIPT DEBUG YES", verb: ScriptDebug, alone: true},
	{line: "CLUSTER"},
	{line: "CLUSTER ADDSLOTS 1"},
	{line: "CLUSTER ADDSLOTSRANGE 1 2"},
	{line: "CLUSTER BUMPEPOCH"},
	{line: "CLUSTER CANCELSLOTMIGRATIONS"},
	{line: "CLUSTER DELSLOTS 1"},
	{line: "CLUSTER DELSLOTSRANGE 1 2"},
	{line: "CLUSTER FAILOVER"},
	{line: "CLUSTER FLUSHSLOT 1"},
	{line: "CLUSTER FLUSHSLOTS"},
	{line: "CLUSTER FORGET id"},
	{line: "CLUSTER MEET h 1"},
	{line: "CLUSTER MIGRATESLOTS SLOTSRANGE 1 2 NODE x"},
	{line: "CLUSTER MIGRATION CANCEL ALL"},
	{line: "CLUSTER REPLICATE id"},
	{line: "CLUSTER RESET"},
	{line: "CLUSTER SAVECONFIG"},
	{line: "CLUSTER SET-CONFIG-EPOCH 1"},
	{line: "CLUSTER SETSLOT 1 STABLE"},
	{line: "POST / HTTP/1.1", verb: HTTP, never: true},
	{line: "Host: x", verb: HTTP, never: true},
}

// TestRefusalsAndAllow looks up every command that is refused by default under
// the default policy, allowed by its own name, and allowed by "*".
func TestRefusalsAndAllow(t *testing.T) {
	all := mustNew(t, Policy{Allow: []string{"*"}})
	listed := map[string]bool{}
	for _, c := range refusals {
		a := args(c.line)
		before := Lookup(a)
		listed[before.Name] = true
		if before.Class != Refused || before.Reason == "" || before.Liftable == c.never || before.Alone {
			t.Errorf("%q by default: %+v", c.line, *before)
		}
		if c.never {
			if got := all.Lookup(a); got.Class != Refused || got.Liftable || got.Verb != c.verb || got.Reason != before.Reason {
				t.Errorf("%q with *: %+v", c.line, *got)
			}
			if _, err := New(Policy{Allow: []string{before.Name}}); err == nil || !strings.Contains(err.Error(), before.Name) {
				t.Errorf("%s may be allowed by name: %v", before.Name, err)
			}
			continue
		}
		one := mustNew(t, Policy{Allow: []string{strings.ToUpper(strings.ReplaceAll(before.Name, "|", " "))}})
		for _, table := range []*Table{all, one} {
			got := table.Lookup(a)
			if got.Class != Write || got.Verb != c.verb || got.Alone != c.alone || got.Repeatable || got.Reason != "" || got.Liftable ||
				got.Name != before.Name || got.Arity != before.Arity || !got.Known {
				t.Errorf("%q allowed: %+v", c.line, *got)
			}
		}
		for _, other := range refusals {
			o := args(other.line)
			inside := strings.HasPrefix(Lookup(o).Name, before.Name) // CLUSTER stands for its subcommands
			if got := one.Lookup(o); got.Class != Refused && !inside {
				t.Errorf("allowing %s allows %s", before.Name, got.Name)
			}
		}
	}
	for _, i := range Commands() {
		if i.Class == Refused && !listed[i.Name] {
			t.Errorf("%s is refused and not in this test's list", i.Name)
		}
		a := bytesOf(strings.Split(i.Name, "|"))
		if got, before := all.Lookup(a), Lookup(a); before.Class != Refused && (got.Class != before.Class || got.Verb != before.Verb || got.Repeatable != before.Repeatable) {
			t.Errorf("* changes %s: %+v", i.Name, *got)
		}
	}
}

func TestAllowAndDeny(t *testing.T) {
	type want struct {
		line     string
		name     string
		class    Class
		reason   string
		liftable bool
		known    bool
	}
	for _, c := range []struct {
		policy Policy
		want   []want
	}{
		{Policy{Deny: []string{"FLUSHALL", "config set", "  Client | Kill "}}, []want{
			{"flushall", "flushall", Refused, denied, false, true},
			{"FLUSHDB", "flushdb", Write, "", false, true},
			{"CONFIG SET a b", "config|set", Refused, denied, false, true},
			{"CONFIG GET a", "config|get", Read, "", false, true},
			{"CONFIG NOSUCH", "config", Write, "", false, false},
			{"CLIENT KILL x", "client|kill", Refused, denied, false, true},
			{"CLIENT ID", "client|id", Session, "", false, true},
		}},
		// a container stands for all its subcommands, those that nobody knows too
		{Policy{Deny: []string{"client"}}, []want{
			{"CLIENT", "client", Refused, denied, false, true},
			{"CLIENT ID", "client|id", Refused, denied, false, true},
			{"CLIENT PAUSE 1", "client|pause", Refused, denied, false, true},
			{"CLIENT NOSUCH", "client", Refused, denied, false, false},
		}},
		{Policy{Allow: []string{"cluster"}}, []want{
			{"CLUSTER", "cluster", Write, "", false, true},
			{"CLUSTER FAILOVER", "cluster|failover", Write, "", false, true},
			{"CLUSTER INFO", "cluster|info", Read, "", false, true},
			{"CLUSTER NOSUCH", "cluster", Write, "", false, false},
		}},
		{Policy{Allow: []string{"cluster|nosuch", "module"}}, []want{
			{"CLUSTER", "cluster", Refused, clusterWrite, true, true},
			{"CLUSTER OTHER", "cluster", Refused, clusterWrite, true, false},
			{"CLUSTER NOSUCH", "cluster|nosuch", Write, "", false, false},
			{"MODULE LOAD x", "module|load", Write, "", false, true},
			{"MODULE LIST", "module|list", Read, "", false, true},
		}},
		// Deny beats Allow, whichever of the two names more
		{Policy{Allow: []string{"*"}, Deny: []string{"debug", "script debug"}}, []want{
			{"DEBUG SLEEP 1", "debug", Refused, denied, false, true},
			{"SCRIPT DEBUG YES", "script|debug", Refused, denied, false, true},
			{"SHUTDOWN", "shutdown", Write, "", false, true},
			{"CLUSTER NOSUCH", "cluster", Write, "", false, false},
			{"SYNC", "sync", Refused, replicates, false, true},
		}},
		{Policy{Allow: []string{"client|pause", "cluster"}, Deny: []string{"client", "cluster|reset"}}, []want{
			{"CLIENT PAUSE 1", "client|pause", Refused, denied, false, true},
			{"CLUSTER RESET", "cluster|reset", Refused, denied, false, true},
			{"CLUSTER FORGET x", "cluster|forget", Write, "", false, true},
		}},
		// what is refused anyway may be denied too
		{Policy{Deny: []string{"sync", "replicaof"}}, []want{
			{"SYNC", "sync", Refused, denied, false, true},
			{"REPLICAOF h 1", "replicaof", Refused, denied, false, true},
		}},
		// DEBUG's first argument is a subcommand, although COMMAND does not say so
		{Policy{Allow: []string{"debug object"}}, []want{
			{"DEBUG", "debug", Refused, stopsMaster, true, true},
			{"DEBUG SLEEP 1", "debug", Refused, stopsMaster, true, true},
			{"DEBUG OBJECT k", "debug|object", Write, "", false, true},
		}},
		{Policy{Allow: []string{"debug"}, Deny: []string{"debug|segfault", "ft.config set"}}, []want{
			{"DEBUG SEGFAULT", "debug|segfault", Refused, denied, false, true},
			{"DEBUG SLEEP 1", "debug", Write, "", false, true},
			{"FT.CONFIG SET a b", "ft.config|set", Refused, denied, false, true},
			{"FT.CONFIG GET a", "ft.config", Write, "", false, true},
		}},
		// names that no table knows
		{Policy{Deny: []string{"X.FOO", "x.bar set", "x.baz", "x.baz|get", "client|nosuch"}, Allow: []string{"x.y", "x.y|z"}}, []want{
			{"X.FOO", "x.foo", Refused, denied, false, false},
			{"x.foo any", "x.foo", Refused, denied, false, false},
			{"x.bar", "x.bar", Write, "", false, false},
			{"x.bar get", "x.bar", Write, "", false, false},
			{"x.bar SET 1", "x.bar|set", Refused, denied, false, false},
			{"x.baz", "x.baz", Refused, denied, false, false},
			{"x.baz set", "x.baz", Refused, denied, false, false},
			{"x.baz get", "x.baz|get", Refused, denied, false, false},
			{"CLIENT NOSUCH", "client|nosuch", Refused, denied, false, false},
			{"CLIENT OTHER", "client", Session, "", false, false},
			{"x.y", "unknown", Write, "", false, false},
			{"x.y z", "unknown", Write, "", false, false},
		}},
	} {
		table := mustNew(t, c.policy)
		for _, w := range c.want {
			got := table.Lookup(args(w.line))
			if got.Name != w.name || got.Class != w.class || got.Reason != w.reason || got.Liftable != w.liftable || got.Known != w.known {
				t.Errorf("%+v, %q: %+v", c.policy, w.line, *got)
			}
			if got.Class == Refused && (got.Verb != VerbNone || got.Repeatable || got.Alone) {
				t.Errorf("%+v, %q still looks as if it might run: %+v", c.policy, w.line, *got)
			}
		}
	}
}

// TestDenyEverything denies every command of the table, one policy for all: none
// passes, with none of its variants.
func TestDenyEverything(t *testing.T) {
	var names []string
	for _, i := range Commands() {
		if Lookup(bytesOf(strings.Split(i.Name, "|"))).Verb != HTTP {
			names = append(names, i.Name)
		}
	}
	table := mustNew(t, Policy{Allow: []string{"*"}, Deny: names})
	for _, c := range lookups {
		got := table.Lookup(args(c.line))
		if c.name != "unknown" && (got.Class != Refused || got.Liftable) {
			t.Errorf("%q passes: %+v", c.line, *got)
		}
	}
}

// TestTablesAreIndependent sees that a policy does not reach into other tables.
func TestTablesAreIndependent(t *testing.T) {
	strict := mustNew(t, Policy{Deny: []string{"get", "client", "x.foo", "debug|sleep", "config set", "ft.config set"}})
	free := mustNew(t, Policy{Allow: []string{"*"}})
	if got := Lookup(args("DEBUG SLEEP 1")); got.Name != "debug" || got.Reason != stopsMaster || !got.Liftable {
		t.Errorf("the default table: %+v", *got)
	}
	if got := free.Lookup(args("DEBUG SLEEP 1")); got.Name != "debug" || got.Class != Write {
		t.Errorf("the free table: %+v", *got)
	}
	for _, line := range []string{"GET k", "CLIENT ID", "X.FOO", "CONFIG SET a b", "FT.CONFIG SET a b"} {
		if strict.Lookup(args(line)).Class != Refused || Lookup(args(line)).Class == Refused || free.Lookup(args(line)).Class == Refused {
			t.Errorf("%q", line)
		}
	}
}

func TestPolicyFaults(t *testing.T) {
	for _, c := range []struct {
		policy Policy
		want   string
	}{
		{Policy{Deny: []string{"*"}}, "deny_commands '*' would forbid every command"},
		{Policy{Allow: []string{""}}, "allow_commands '' is not a command"},
		{Policy{Deny: []string{"  "}}, "deny_commands '  ' is not a command"},
		{Policy{Deny: []string{"-debug"}}, "deny_commands '-debug' is not a command"},
		{Policy{Deny: []string{"config|"}}, "'config|' is not a command"},
		{Policy{Deny: []string{"|set"}}, "'|set' is not a command"},
		{Policy{Deny: []string{"config||set"}}, "'config||set' is not a command"},
		{Policy{Deny: []string{"config|set|x"}}, "'config|set|x' is not a command"},
		{Policy{Deny: []string{"config set maxmemory"}}, "'config set maxmemory' is not a command"},
		{Policy{Deny: []string{"@dangerous"}}, "deny_commands '@dangerous' has '@' in it"},
		{Policy{Deny: []string{"client|*"}}, "'client|*' has '*' in it"},
		{Policy{Deny: []string{"debug,config"}}, "has ',' in it"},
		{Policy{Deny: []string{"d\u00e9bug"}}, "has 'é' in it"},
		{Policy{Deny: []string{"de\nbug"}}, `has '\n' in it`},
		{Policy{Deny: []string{strings.Repeat("x", longestName+1)}}, "is longer than the 64 characters"},
		{Policy{Deny: []string{"get|x"}}, "deny_commands 'get|x' names a subcommand, and get has none"},
		{Policy{Allow: []string{"shutdown nosave"}}, "allow_commands 'shutdown nosave' names a subcommand, and shutdown has none"},
		{Policy{Allow: []string{"POST"}}, "allow_commands 'POST' is no command"},
		{Policy{Deny: []string{"post"}}, "deny_commands 'post' is no command"},
		{Policy{Allow: []string{"PSYNC"}}, "allow_commands 'PSYNC' can never be allowed: a replica has to connect to the master itself"},
		{Policy{Allow: []string{"debug", "@all"}, Deny: []string{"get", "*", "+set"}}, "allow_commands '@all' has"},
		{Policy{Allow: []string{"debug", "@all"}, Deny: []string{"get", "*", "+set"}}, "\ndeny_commands '*' would forbid"},
		{Policy{Allow: []string{"debug", "@all"}, Deny: []string{"get", "*", "+set"}}, "\ndeny_commands '+set' has '+'"},
	} {
		table, err := New(c.policy)
		if table != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.policy, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "'debug'") || strings.Contains(err.Error(), "'get'") {
			t.Errorf("%q: names what is right: %v", c.policy, err)
		}
	}
}

// TestAlone and the two after it list all commands that have the mark.
func TestAlone(t *testing.T) {
	want := strings.Fields(`client|caching client|capa client|import-source client|no-touch client|pause client|tracking client|unpause
		debug function|kill monitor script|debug script|kill shutdown`)
	marked(t, "Alone", want, func(i *Info) bool { return i.Alone })
}

func TestCursor(t *testing.T) {
	marked(t, "a cursor", []string{"hscan", "scan", "sscan", "zscan"}, func(i *Info) bool { return i.Cursor > 0 || i.Verb == Scan })
	for line, want := range map[string]int{"SCAN 0": 1, "hscan k 0": 2, "SSCAN k 0": 2, "ZSCAN k 0": 2, "GET k": 0, "FT.CURSOR READ i 1": 0} {
		if got := Lookup(args(line)).Cursor; got != want {
			t.Errorf("%q: %d, not %d", line, got, want)
		}
	}
}

// TestNotQueued: Redis 7.0 server.c processCommand, "Exec the command".
func TestNotQueued(t *testing.T) {
	marked(t, "NotQueued", []string{"discard", "exec", "multi", "quit", "reset", "watch"}, func(i *Info) bool { return i.NotQueued })
}

// marked checks which commands, everything being allowed, has says yes to.
func marked(t *testing.T, what string, want []string, has func(*Info) bool) {
	t.Helper()
	all := mustNew(t, Policy{Allow: []string{"*"}})
	var got []string
	for _, i := range Commands() {
		if has(all.Lookup(bytesOf(strings.Split(i.Name, "|")))) {
			got = append(got, i.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, not %v", what, got, want)
	}
}
