package command

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// frame writes a reply the short way: a blank ends a line, and a word that begins
// with none of the type bytes is a bulk string.
func frame(text string) []byte {
	var b strings.Builder
	for _, w := range strings.Fields(text) {
		if !strings.ContainsAny(w[:1], "*~+:-$_#%,?") {
			fmt.Fprintf(&b, "$%d\r\n", len(w))
		}
		b.WriteString(w + "\r\n")
	}
	return []byte(b.String())
}

func TestParseServed(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply string
		want  []Served
	}{
		{"none", "*0", nil},
		{"Redis 2.8", "*1 *6 GET :2 *2 +readonly +fast :1 :1 :1", []Served{{Name: "get", Arity: 2, Flags: []string{"readonly", "fast"}}}},
		{"Redis 6.2", "*2 *7 get :2 *2 +readonly +fast :1 :1 :1 *1 +@read *7 bzpopmin :-3 *1 +blocking :1 :-2 :1 *0",
			[]Served{{Name: "get", Arity: 2, Flags: []string{"readonly", "fast"}}, {Name: "bzpopmin", Arity: -3, Flags: []string{"blocking"}}}},
		{"Redis 6.2, RESP3", "*1 *7 get :2 ~1 +readonly :1 :1 :1 ~1 +@read", []Served{{Name: "get", Arity: 2, Flags: []string{"readonly"}}}},
		{"Redis 7.0", "*1 *10 c :-2 *0 :0 :0 :0 *0 *1 tip *1 *2 flags *1 +RO *2 *10 c|a :2 *1 +readonly :0 :0 :0 *0 *0 *0 *0 *10 c|b :3 *0 :0 :0 :0 *0 *0 *0 *0",
			[]Served{{Name: "c", Arity: -2, Subcommands: []Served{{Name: "c|a", Arity: 2, Flags: []string{"readonly"}}, {Name: "c|b", Arity: 3}}}}},
		{"Redis 7.0, RESP3", "*1 *10 c :-2 ~0 :0 :0 :0 ~0 *0 *1 %2 flags ~1 +RO notes x *1 *10 c|a :2 ~2 +write +denyoom :0 :0 :0 ~0 *0 *0 *0",
			[]Served{{Name: "c", Arity: -2, Subcommands: []Served{{Name: "c|a", Arity: 2, Flags: []string{"write", "denyoom"}}}}}},
		{"subcommands of subcommands", "*1 *10 c :2 *0 :0 :0 :0 *0 *0 *0 *1 *10 c|a :2 *0 :0 :0 :0 *0 *0 *0 *1 *6 d :1 *0 :0 :0 :0",
			[]Served{{Name: "c", Arity: 2, Subcommands: []Served{{Name: "c|a", Arity: 2}}}}},
		{"more elements", "*1 *12 c :2 *0 :0 :0 :0 *0 *0 *0 *0 #t ,1.5", []Served{{Name: "c", Arity: 2}}},
		{"an unknown one", "*4 *-1 _ *6 a :1 *-1 :0 :0 :0 *-1", []Served{{Name: "a", Arity: 1}}},
		{"a simple string", "*1 *6 +a :1 *1 fast :0 :0 :0", []Served{{Name: "a", Arity: 1, Flags: []string{"fast"}}}},
	} {
		got, err := ParseServed(frame(c.reply))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

func TestParseServedFaults(t *testing.T) {
	one := "*6 a :1 *0 :0 :0 :0"
	for _, c := range []struct{ reply, want string }{
		{"", "ends too early"},
		{"-NOPERM nothing", `"NOPERM`},
		{"+OK", `"+OK" where one of *~`},
		{"*1", "ends too early"},
		{"*1 *5 a :1 *0 :0 :0", "a command with 5 elements"},
		{"*1 *101 a :1 *0 :0 :0", "an array of 101 elements"},
		{"*1 *6 :1 :1 *0 :0 :0 :0", "where one of $"},
		{"*1 *6 $-1 :1 *0 :0 :0 :0", "a string of -1 bytes"},
		{"*1 *6 a b *0 :0 :0 :0", "where one of :"},
		{"*1 *6 a :99999999999 *0 :0 :0 :0", "is no number"},
		{"*1 *6 a :000000000000000000000000000001 *0 :0 :0 :0", "is no number"},
		{"*1 *6 a :1 %0 :0 :0 :0", "where one of *~"},
		{"*1 *6 a :1 *101 :0 :0 :0", "an array of 101 elements"},
		{"*-2", "an array of -2 elements"},
		{"*10001", "an array of 10001 elements"},
		{"*? " + one + " .", "is no number"},
		{"*2 " + one, "ends too early"},
		{"*1 " + one + " " + one, "bytes too many"},
		{"*1 *7 a :1 *0 :0 :0 :0 ?", "unknown type byte"},
		{"*10000 " + strings.Repeat("*10 a :1 *0 :0 :0 :0 *0 *0 *0 *1 *10 a|b :1 *0 :0 :0 :0 *0 *0 *0 *0 ", 6000), "more than 10000 commands"},
	} {
		got, err := ParseServed(frame(c.reply))
		if got != nil || !errors.Is(err, ErrServed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q: got %d, %v, want %s", c.reply, len(got), err, c.want)
		}
	}
	if _, err := ParseServed(make([]byte, maxServedBytes+1)); !errors.Is(err, ErrServed) || !strings.Contains(err.Error(), "16777217 bytes") {
		t.Errorf("a huge reply: %v", err)
	}
	whole := frame("*1 *10 c :-2 *0 :0 :0 :0 *0 *1 tip *0 *1 *10 c|a :2 *1 +readonly :0 :0 :0 *0 *0 *0 *0")
	for n := range whole {
		if _, err := ParseServed(whole[:n]); !errors.Is(err, ErrServed) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

// FuzzParseServed seeks replies on which ParseServed or With would panic, which
// change what the built-in table says, or which make a repeatable command of what
// does not say readonly. The corpus has replies of a real server.
func FuzzParseServed(f *testing.F) {
	f.Fuzz(func(t *testing.T, reply []byte) {
		served, err := ParseServed(reply)
		if err != nil {
			if served != nil || !errors.Is(err, ErrServed) {
				t.Fatalf("%d commands, %v", len(served), err)
			}
			return
		}
		table := standard.With(served)
		for _, line := range []string{"GET k", "SET k v", "DEBUG SLEEP 1", "CLUSTER FAILOVER", "CLIENT ID", "CLIENT PAUSE 1", "XREAD BLOCK 1 STREAMS s $", "MEMORY PURGE"} {
			if before, after := plain(Lookup(args(line))), plain(table.Lookup(args(line))); before != after {
				t.Errorf("%s was %s and is %s", line, before, after)
			}
		}
		for _, s := range served {
			i := table.Lookup([][]byte{[]byte(s.Name)})
			if i.Merged && i.Repeatable && !strings.Contains(strings.ToLower(fmt.Sprint(served)), "readonly") {
				t.Errorf("%q: %+v", s.Name, *i)
			}
		}
	})
}

func BenchmarkWith(b *testing.B) {
	var served []Served
	for k := range 200 {
		served = append(served, Served{Name: fmt.Sprintf("x.%d", k), Arity: 2, Flags: []string{"readonly"}})
	}
	for b.Loop() {
		standard.With(served)
	}
}
