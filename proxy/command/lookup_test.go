package command

import (
	"slices"
	"strings"
	"testing"
)

var lookups = []struct {
	line       string
	name       string
	class      Class
	verb       Verb
	repeatable bool
	known      bool
}{
	{"", "unknown", Write, VerbNone, false, false},
	{"NOSUCH a", "unknown", Write, VerbNone, false, false},
	{strings.Repeat("x", 100), "unknown", Write, VerbNone, false, false},
	{"get k", "get", Read, VerbNone, true, true},
	{"GeT k", "get", Read, VerbNone, true, true},
	{"SET k v", "set", Write, VerbNone, false, true},
	{"pfcount k", "pfcount", Write, VerbNone, false, true},
	{"spop k", "spop", Write, VerbNone, false, true},
	{"GETDEL k", "getdel", Write, VerbNone, false, true},
	{"EVAL s 0", "eval", Write, Eval, false, true},
	{"EVAL_RO s 0", "eval_ro", Read, EvalRO, true, true},
	{"EVALSHA_RO s 0", "evalsha_ro", Read, EvalShaRO, true, true},
	{"FCALL_RO f 0", "fcall_ro", Read, FCallRO, true, true},
	{"PUBLISH c m", "publish", Write, Publish, false, true},
	{"SCRIPT LOAD x", "script|load", Write, ScriptLoad, true, true},
	{"script exists x", "script|exists", Read, ScriptExists, true, true},
	{"ECHO x", "echo", Read, VerbNone, true, true},
	{"ping", "ping", Session, Ping, true, true},
	{"RANDOMKEY", "randomkey", Read, VerbNone, true, true},
	{"INFO", "info", Read, ServerInfo, true, true},
	{"CLIENT HELP", "client|help", Read, ClientHelp, true, true},
	{"SCAN 0", "scan", Read, Scan, true, true},
	{"hscan k 0", "hscan", Read, Scan, true, true},
	{"SCRIPT DEBUG YES", "script|debug", Refused, VerbNone, false, true},
	{"SHUTDOWN", "shutdown", Refused, VerbNone, false, true},
	{"WAIT 1 100", "wait", Blocking, Wait, false, true},
	{"WAITAOF 1 1 100", "waitaof", Blocking, WaitAOF, false, true},
	{"BLPOP k 0", "blpop", Blocking, VerbNone, false, true},
	{"client SetName x", "client|setname", Session, ClientSetName, false, true},
	{"client id", "client|id", Session, ClientID, true, true},
	{"client", "client", Session, ClientOther, false, true},
	{"CLIENT NOSUCH", "client", Session, ClientOther, false, false},
	{"CLUSTER NOSUCH", "cluster", Refused, VerbNone, false, false},
	{"CONFIG NOSUCH", "config", Write, VerbNone, false, false},
	{"COMMAND", "command", Read, VerbNone, true, true},
	{"COMMAND NOSUCH", "command", Write, VerbNone, false, false},
	{"CLUSTER INFO", "cluster|info", Read, VerbNone, true, true},
	{"CLUSTER FAILOVER", "cluster|failover", Refused, VerbNone, false, true},
	{"REPLICAOF a 1", "replicaof", Refused, VerbNone, false, true},
	{"CLIENT PAUSE 1", "client|pause", Refused, VerbNone, false, true},
	{"DEBUG SLEEP 1", "debug", Refused, VerbNone, false, true},
	{"POST / HTTP/1.1", "post", Refused, HTTP, false, true},
	{"Host: x", "host:", Refused, HTTP, false, true},
	{"MULTI", "multi", Transaction, Multi, false, true},
	{"SSUBSCRIBE c", "ssubscribe", PubSub, SSubscribe, false, true},
	{"MONITOR", "monitor", Session, Monitor, false, true},
	{"SORT k", "sort", Read, VerbNone, true, true},
	{"SORT k STORE d", "sort", Write, VerbNone, false, true},
	{"SORT k BY w_* sTorE d", "sort", Write, VerbNone, false, true},
	{"SORT_RO k", "sort_ro", Read, VerbNone, true, true},
	{"GETEX k", "getex", Read, VerbNone, true, true},
	{"GETEX k PERSIST", "getex", Write, VerbNone, false, true},
	{"GETEX", "getex", Write, VerbNone, false, true},
	{"GEORADIUS k 1 1 1 km STOREDIST d", "georadius", Write, VerbNone, false, true},
	{"BITFIELD k GET u8 0 INCRBY u8 0 1", "bitfield", Write, VerbNone, false, true},
	{"ACL LOG RESET", "acl|log", Write, VerbNone, false, true},
	{"XREAD STREAMS s 0", "xread", Read, XRead, true, true},
	{"XREAD COUNT 1 STREAMS block 0", "xread", Read, XRead, true, true},
	{"XREAD COUNT 1 block 0 STREAMS s $", "xread", Blocking, XRead, true, true},
	{"XREADGROUP GROUP block c STREAMS s >", "xreadgroup", Write, XReadGroup, false, true},
	{"XREADGROUP GROUP g c NOACK BLOCK 10 STREAMS s >", "xreadgroup", Blocking, XReadGroup, false, true},
	{"HTTL k FIELDS 1 f", "httl", Read, VerbNone, true, true},
	{"HGETEX k FIELDS 1 f", "hgetex", Write, VerbNone, false, true},
	{"json.get k", "json.get", Read, VerbNone, true, true},
	{"FT.CURSOR READ i 1", "ft.cursor", Write, VerbNone, false, true},
	{"VADD k VALUES 1 1 e", "vadd", Write, VerbNone, false, true},
	{"VRANGE k - +", "vrange", Read, VerbNone, true, true},
	{"FT.HYBRID i", "ft.hybrid", Read, VerbNone, true, true},
	{"MSETEX 1 k v", "msetex", Write, VerbNone, false, true},
	{"CLUSTER MIGRATION CANCEL ALL", "cluster|migration", Refused, VerbNone, false, true},
	{"CLUSTER GETSLOTMIGRATIONS", "cluster|getslotmigrations", Read, VerbNone, true, true},
	{"DEBUG", "debug", Refused, VerbNone, false, true},
}

func TestLookup(t *testing.T) {
	for _, c := range lookups {
		i := Lookup(args(c.line))
		if i.Name != c.name || i.Class != c.class || i.Verb != c.verb || i.Repeatable != c.repeatable || i.Known != c.known {
			t.Errorf("%q: %+v", c.line, *i)
		}
	}
}

// TestTableRules checks what must hold for every line of the table.
func TestTableRules(t *testing.T) {
	all := Commands()
	if !slices.IsSortedFunc(all, func(a, b *Info) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("Commands is not sorted")
	}
	seen := map[string]bool{}
	lines := 0
	for _, table := range tables {
		lines += len(table)
	}
	if lines != len(all) {
		t.Errorf("%d lines in the tables, %d commands: one is there twice", lines, len(all))
	}
	for _, i := range all {
		if seen[i.Name] || i.Name != strings.ToLower(i.Name) || len(i.Name) > longestName {
			t.Errorf("%q is there twice, not in lower case, or too long", i.Name)
		}
		seen[i.Name] = true
		if !i.Known || i.Arity == 0 || i.Class > Refused {
			t.Errorf("%+v", *i)
		}
		if (i.Class == Refused) != (i.Reason != "") || i.Class != Refused && i.Liftable {
			t.Errorf("%s: class %v, reason %q, liftable %v", i.Name, i.Class, i.Reason, i.Liftable)
		}
		if i.Class == Refused && (i.Verb != VerbNone && i.Verb != HTTP || i.Repeatable || i.Alone || i.Cursor != 0) {
			t.Errorf("%s is refused and still looks as if it might run: %+v", i.Name, *i)
		}
		if i.Merged {
			t.Errorf("%s is built in and marked as merged", i.Name)
		}
		if i.Class == Read && !i.Repeatable {
			t.Errorf("%s is a Read and not repeatable", i.Name)
		}
		if (i.Class == Session || i.Class == PubSub || i.Class == Transaction) && i.Verb == VerbNone {
			t.Errorf("%s: class %v without a verb", i.Name, i.Class)
		}
		if i.Class == Blocking && i.timeout == noTimeout {
			t.Errorf("%s blocks without a timeout", i.Name)
		}
		if got := Lookup(bytesOf(strings.Split(i.Name, "|"))); got.Name != i.Name {
			t.Errorf("%s is looked up as %s", i.Name, got.Name)
		}
	}
}

func TestArity(t *testing.T) {
	for _, c := range []struct {
		line string
		want bool
	}{
		{"GET", false}, {"GET k", true}, {"GET k k", false}, {"MGET", false}, {"MGET a b c", true},
		{"CLIENT SETNAME", false}, {"CLIENT SETNAME x", true}, {"NOSUCH", true},
	} {
		if a := args(c.line); Arity(Lookup(a), len(a)) != c.want {
			t.Errorf("%q: not %v", c.line, c.want)
		}
	}
}

func TestClassString(t *testing.T) {
	for c, want := range map[Class]string{Write: "write", Read: "read", Blocking: "blocking", Session: "session",
		PubSub: "pubsub", Transaction: "transaction", Refused: "refused"} {
		if c.String() != want {
			t.Errorf("%d: %s", c, c)
		}
	}
}

var benchLines = map[string][][]byte{
	"GET": args("GET k"), "SET": args("set k v"), "ClientSetName": args("CLIENT SETNAME x"),
	"XREAD": args("XREAD COUNT 10 BLOCK 1000 STREAMS a b $ $"), "unknown": args("nosuch a b"),
}

func TestLookupDoesNotAllocate(t *testing.T) {
	own := mustNew(t, Policy{Allow: []string{"*"}, Deny: []string{"x.foo", "get", "client|setname"}}).With([]Served{{Name: "nosuch"}})
	for name, line := range benchLines {
		if n := testing.AllocsPerRun(100, func() { Lookup(line) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if n := testing.AllocsPerRun(100, func() { own.Lookup(line) }); n != 0 {
			t.Errorf("%s in a table of its own: %v allocations", name, n)
		}
	}
	blpop := args("BLPOP k 1.5")
	if n := testing.AllocsPerRun(100, func() { Lookup(blpop).Timeout(blpop) }); n != 0 {
		t.Errorf("Timeout: %v allocations", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	for name, line := range benchLines {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Lookup(line)
			}
		})
	}
}

// FuzzLookup seeks arguments on which Lookup, Timeout or LastIDs would panic, or
// which make a command a read that may write.
func FuzzLookup(f *testing.F) {
	f.Add("XREAD BLOCK")                              // an option without its value
	f.Add("XREADGROUP GROUP g c BLOCK 5 STREAMS s $") // all options
	f.Add("XREAD STREAMS a b $")                      // unbalanced streams
	f.Add("BLPOP k 1e300")                            // a timeout out of range
	f.Add("BZMPOP 0.001 1 k MIN")                     // a timeout in front
	f.Add("CLIENT \xff")                              // a container, no subcommand
	f.Add("SORT")                                     // a variant without a key
	f.Fuzz(func(t *testing.T, line string) {
		a := args(line)
		i := Lookup(a)
		if at, d, ok := i.Timeout(a); ok && (at <= 0 || at >= len(a) || d < 0) {
			t.Errorf("%q: timeout at %d of %v", line, at, d)
		}
		for _, at := range LastIDs(a) {
			if key := at - StreamCount(a); string(a[at]) != "$" || key < 1 || key >= at {
				t.Errorf("%q: no $ at %d, or no key at %d", line, at, key)
			}
		}
		if i.Class == Read {
			for _, arg := range a[min(2, len(a)):] {
				if is(arg, "store") && i.Name == "sort" || is(arg, "incrby") && i.Name == "bitfield" {
					t.Errorf("%q is a Read", line)
				}
			}
		}
	})
}
