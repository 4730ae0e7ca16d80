package proxy

import (
	"strings"
	"testing"
)

// What a restart has taken, by what the master says before and after it.
func TestHistoryLost(t *testing.T) {
	full := history{runID: "run1", replID: "history1", offset: 1000, keys: true}
	for _, tt := range []struct {
		name        string
		before, now history
		want        string
	}{
		{"the same process", full, history{runID: "run1", replID: "history1"}, ""},
		{"nothing known of before", history{}, history{runID: "run2", replID: "history2"}, ""},
		{"empty", full, history{runID: "run2", replID: "history2"}, "without its data"},
		{"empty before, too", history{runID: "run1", replID: "history1"}, history{runID: "run2", replID: "history2"}, ""},
		{"all of it, from an append-only file", full, history{runID: "run2", replID: "history2", keys: true}, ""},
		{"all of it, from a dump", full, history{runID: "run2", replID: "history2", olderID: "history1", offset: 1000, keys: true}, ""},
		{"all of it, from a dump when it had no key left", full, history{runID: "run2", replID: "history2", olderID: "history1", offset: 1000}, ""},
		{"an older dump, without a key", full, history{runID: "run2", replID: "history2", olderID: "history1", offset: 900}, "older data: 900 of 1000 bytes"},
		{"more than was known, from a dump", full, history{runID: "run2", replID: "history2", olderID: "history1", offset: 1014, keys: true}, ""},
		{"an older dump", full, history{runID: "run2", replID: "history2", olderID: "history1", offset: 900, keys: true}, "older data: 900 of 1000 bytes"},
		{"somebody else's dump", full, history{runID: "run2", replID: "history2", olderID: "history0", offset: 900, keys: true}, ""},
	} {
		if got := tt.now.lost(tt.before); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestHistoryRead(t *testing.T) {
	var h history
	for _, info := range []string{
		"# Server\r\nredis_version:7.0.15\r\nrun_id:aaaa\r\ntcp_port:6379\r\n",
		"# Replication\r\nrole:master\r\nmaster_replid:bbbb\r\nmaster_replid2:cccc\r\nmaster_repl_offset:42\r\nsecond_repl_offset:-1\r\n",
		"# Keyspace\r\ndb3:keys=1,expires=0,avg_ttl=0\r\n",
	} {
		h.read([]byte(info))
	}
	if want := (history{"aaaa", "bbbb", "cccc", 42, true}); h != want {
		t.Errorf("%+v, want %+v", h, want)
	}
	h = history{}
	h.read([]byte("# Keyspace\r\ndbx\r\ndb0:\r\nmaster_repl_offset:x\r\n"))
	if h != (history{}) {
		t.Errorf("%+v of nonsense", h)
	}
}
