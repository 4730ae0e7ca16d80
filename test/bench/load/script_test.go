package load

import (
	"bytes"
	"testing"
)

func TestScripts(t *testing.T) {
	if got, want := string(Command("SET", "k", "")), "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	seen, get := map[string]bool{}, Get()
	for n := range Keys {
		seen[string(get.next(n))] = true
	}
	if len(seen) != Keys || !seen[string(Command("GET", "key:000000000999"))] {
		t.Errorf("%d different GETs", len(seen))
	}
	if set := Set(16 << 20); len(set.requests) != 2 || len(set.next(5)) < 16<<20 {
		t.Errorf("%d large SETs", len(set.requests))
	}
	if tx := Transaction(10); tx.commands != 12 || bytes.Count(tx.next(999), []byte("SET")) != 10 {
		t.Errorf("a transaction of %d commands: %q", tx.commands, tx.next(999))
	}
}
