package command

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// master is what a server with a module and newer commands might show.
var master = []Served{
	{Name: "x.get", Arity: 2, Flags: []string{"readonly", "module", "fast", "movablekeys"}},
	{Name: "x.set", Arity: -3, Flags: []string{"write", "denyoom", "module"}},
	{Name: "x.silent", Arity: -1},
	{Name: "x.both", Arity: 2, Flags: []string{"readonly", "write"}},
	{Name: "x.admin", Arity: 2, Flags: []string{"readonly", "admin"}},
	{Name: "x.pubsub", Arity: 2, Flags: []string{"readonly", "pubsub"}},
	{Name: "x.noscript", Arity: 2, Flags: []string{"readonly", "noscript"}},
	{Name: "x.new", Arity: 2, Flags: []string{"readonly", "some_new_flag"}},
	{Name: "x.loud", Arity: 2, Flags: []string{"READONLY", "Fast"}},
	{Name: "x.wait", Arity: -3, Flags: []string{"write", "blocking"}},
	{Name: "x.readwait", Arity: -3, Flags: []string{"readonly", "blocking"}},
	{Name: "x.hello", Arity: 0, Flags: []string{"no_auth"}},
	{Name: "x.c", Arity: -2, Subcommands: []Served{
		{Name: "x.c|get", Arity: 3, Flags: []string{"readonly"}}, {Name: "x.c|set", Arity: 4, Flags: []string{"write"}}, {Name: "bare", Arity: 2},
		{Name: "x.c|wait", Arity: 3, Flags: []string{"blocking"}}, {Name: "x.c|a|b"}, {Name: "x.c|"},
	}},
	{Name: "X.LOUDNAME", Arity: 2, Flags: []string{"readonly"}},
	{Name: strings.Repeat("y", longestName), Arity: 2, Flags: []string{"readonly"}},
	{Name: strings.Repeat("y", longestName+1), Arity: 2, Flags: []string{"readonly"}},
	{Name: "x.bad\r\n", Arity: 2, Flags: []string{"readonly"}},
	{Name: "", Flags: []string{"readonly"}},
	// what the built-in table knows better
	{Name: "set", Arity: 2, Flags: []string{"readonly"}},
	{Name: "get", Arity: -7, Flags: []string{"write", "blocking"}, Subcommands: []Served{{Name: "get|k", Arity: 2, Flags: []string{"write"}}}},
	{Name: "debug", Arity: 1, Flags: []string{"readonly"}, Subcommands: []Served{{Name: "debug|sleep", Arity: 3, Flags: []string{"readonly"}}}},
	{Name: "cluster", Arity: -2, Subcommands: []Served{{Name: "cluster|info", Arity: 9, Flags: []string{"write"}}, {Name: "cluster|new", Arity: 4, Flags: []string{"readonly"}}}},
	{Name: "client", Arity: -2, Subcommands: []Served{{Name: "client|new", Arity: 3, Flags: []string{"readonly"}}}},
	{Name: "config", Arity: -2, Subcommands: []Served{{Name: "config|new", Arity: 3, Flags: []string{"readonly"}}, {Name: "config|odd", Arity: 3, Flags: []string{"admin", "noscript"}}}},
	// twice: the first counts
	{Name: "x.get", Arity: 9, Flags: []string{"write"}},
}

func TestWith(t *testing.T) {
	table := mustNew(t, Policy{}).With(master)
	for _, c := range []struct {
		line       string
		name       string
		class      Class
		repeatable bool
		known      bool
		arity      int
		merged     bool
	}{
		{"X.GET k", "x.get", Read, true, true, 2, true},
		{"x.set k v", "x.set", Write, false, true, -3, true},
		{"x.silent", "x.silent", Write, false, true, -1, true},
		{"x.both k", "x.both", Write, false, true, 2, true},
		{"x.admin k", "x.admin", Write, false, true, 2, true},
		{"x.pubsub k", "x.pubsub", Write, false, true, 2, true},
		{"x.noscript k", "x.noscript", Write, false, true, 2, true},
		{"x.new k", "x.new", Write, false, true, 2, true},
		{"x.loud k", "x.loud", Read, true, true, 2, true},
		{"x.loudname k", "x.loudname", Read, true, true, 2, true},
		{"x.wait k 0", "x.wait", Blocking, false, true, -3, true},
		{"x.readwait k 0", "x.readwait", Blocking, false, true, -3, true},
		{"x.hello", "x.hello", Write, false, true, -1, true},
		{"x.c", "x.c", Write, false, true, -2, true},
		{"X.C GET k", "x.c|get", Read, true, true, 3, true},
		{"x.c set k v", "x.c|set", Write, false, true, 4, true},
		{"x.c bare", "x.c|bare", Write, false, true, 2, true},
		{"x.c wait 1", "x.c|wait", Blocking, false, true, 3, true},
		{"x.c nosuch", "x.c", Write, false, false, -2, true},
		{"x.c a|b", "x.c", Write, false, false, -2, true},
		{strings.Repeat("Y", longestName), strings.Repeat("y", longestName), Read, true, true, 2, true},
		{strings.Repeat("Y", longestName+1), "unknown", Write, false, false, -1, false},
		{"x.nosuch", "unknown", Write, false, false, -1, false},
		{"SET k v", "set", Write, false, true, -3, false},
		{"GET k", "get", Read, true, true, 2, false},
		{"DEBUG SLEEP 1", "debug", Refused, false, true, -2, false},
		{"CLUSTER INFO", "cluster|info", Read, true, true, 2, false},
		{"CLUSTER NEW a b", "cluster|new", Refused, false, true, 4, true},
		{"CLUSTER NOSUCH", "cluster", Refused, false, false, -2, false},
		{"CLIENT NEW x", "client|new", Session, false, true, 3, true},
		{"CONFIG NEW x", "config|new", Read, true, true, 3, true},
		{"CONFIG ODD x", "config|odd", Write, false, true, 3, true},
	} {
		a := args(c.line)
		i := table.Lookup(a)
		if i.Name != c.name || i.Class != c.class || i.Repeatable != c.repeatable || i.Known != c.known || i.Arity != c.arity || i.Merged != c.merged {
			t.Errorf("%q: %+v", c.line, *i)
		}
		if at, _, ok := i.Timeout(a); i.Merged && (ok || at != 0) {
			t.Errorf("%q has a timeout, at %d", c.line, at)
		}
	}
	if i := table.Lookup(args("CLIENT NEW x")); i.Verb != ClientOther {
		t.Errorf("CLIENT NEW: %+v", *i)
	}
	if !table.Lookup(args("x.hello")).NoAuth || table.Lookup(args("x.get k")).NoAuth {
		t.Error("NoAuth is not what the flags say")
	}
	if i := Lookup(args("x.get k")); i.Known {
		t.Errorf("the default table has changed: %+v", *i)
	}
	if i := table.With(nil).Lookup(args("x.get k")); i.Known {
		t.Errorf("a table keeps what a former master served: %+v", *i)
	}
}

// TestWithUnderPolicy: Allow and Deny hold for merged commands too, and outlast With.
func TestWithUnderPolicy(t *testing.T) {
	deny := mustNew(t, Policy{Deny: []string{"x.get", "x.c|set", "x.set|sub", "x.other", "get", "client"}, Allow: []string{"*"}}).With(master)
	for _, c := range []struct {
		line    string
		name    string
		refused bool
		known   bool
	}{
		{"X.GET k", "x.get", true, true},
		{"x.c SET k v", "x.c|set", true, true},
		{"x.c GET k", "x.c|get", false, true},
		{"x.set k v", "x.set", false, true},
		{"x.set SUB v", "x.set|sub", true, true},
		{"x.other", "x.other", true, false},
		{"GET k", "get", true, true},
		{"CLIENT NEW x", "client|new", true, true},
		{"CLUSTER NEW a b", "cluster|new", false, true},
		{"DEBUG SLEEP 1", "debug", false, true},
		{"SYNC", "sync", true, true},
	} {
		i := deny.Lookup(args(c.line))
		if i.Name != c.name || (i.Class == Refused) != c.refused || i.Known != c.known || i.Liftable {
			t.Errorf("%q: %+v", c.line, *i)
		}
	}
	one := mustNew(t, Policy{Allow: []string{"cluster|new"}}).With(master)
	if i := one.Lookup(args("CLUSTER NEW a b")); i.Class != Write || i.Arity != 4 {
		t.Errorf("CLUSTER NEW allowed: %+v", *i)
	}
	if i := one.Lookup(args("CLUSTER RESET")); i.Class != Refused || !i.Liftable {
		t.Errorf("CLUSTER RESET: %+v", *i)
	}
}

// TestWithChangesNothingBuiltIn serves every built-in command with other flags,
// and then none of them.
func TestWithChangesNothingBuiltIn(t *testing.T) {
	var contrary []Served
	for _, i := range Commands() {
		flags := []string{"readonly"}
		if i.Class == Read {
			flags = []string{"write", "blocking", "no_auth"}
		}
		s := Served{Name: i.Name, Arity: 99, Flags: flags}
		if container, _, isSub := strings.Cut(i.Name, "|"); isSub {
			s = Served{Name: container, Arity: 99, Flags: flags, Subcommands: []Served{s}}
		}
		contrary = append(contrary, s)
	}
	for _, served := range [][]Served{contrary, {}, nil} {
		unchanged(t, standard.With(served))
	}
}

// unchanged sees that table says the same as the default one of everything built in.
func unchanged(t *testing.T, table *Table) {
	t.Helper()
	lines := []string{"CLIENT NOSUCH", "CLUSTER NOSUCH", "CONFIG NOSUCH", "COMMAND NOSUCH"}
	for _, c := range lookups {
		if c.name != "unknown" {
			lines = append(lines, c.line)
		}
	}
	for _, i := range Commands() {
		lines = append(lines, strings.ReplaceAll(i.Name, "|", " "), strings.ReplaceAll(i.Name, "|", " ")+" a b")
	}
	for _, line := range lines {
		a := args(line)
		if before, after := plain(Lookup(a)), plain(table.Lookup(a)); before != after {
			t.Errorf("%q was %s and is %s", line, before, after)
		}
	}
}

// plain writes what can be seen of i.
func plain(i *Info) string {
	var b strings.Builder
	for k := range reflect.TypeFor[Info]().NumField() {
		if f := reflect.TypeFor[Info]().Field(k); f.IsExported() || f.Name == "timeout" {
			fmt.Fprintf(&b, "%s:%v ", f.Name, reflect.ValueOf(*i).Field(k))
		}
	}
	return b.String()
}
