package proxy

import (
	"slices"
	"strings"
	"testing"
)

func TestParseReplicas(t *testing.T) {
	for _, tt := range []struct {
		name, info string
		want       []Replica
	}{
		{"none", "role:master\r\nconnected_slaves:0\r\nmaster_repl_offset:7\r\n", nil},
		{"two, and the offset behind them", "role:master\r\nconnected_slaves:2\r\n" +
			"slave0:ip=10.0.0.2,port=6379,state=online,offset=90,lag=1\r\nslave1:ip=fe80::1,port=1,state=wait_bgsave,offset=0,lag=0\r\n" +
			"master_repl_offset:100\r\nsecond_repl_offset:-1\r\n",
			[]Replica{{"10.0.0.2:6379", "online", 1, 10}, {"[fe80::1]:1", "wait_bgsave", 0, 100}}},
		{"other names", "slave_read_only:1\r\nslave_repl_offset:5\r\nslavex0:ip=1\r\nslave:ip=1\r\n", nil},
		{"nonsense", "slave0:\r\nslave1:ip=\x1b[31m,port=,state=,offset=x,lag=x\r\nmaster_repl_offset:x\r\n",
			[]Replica{{":", "", 0, 0}, {"\uFFFD[31m:", "", 0, 0}}},
		{"ahead of the master by a race", "slave0:ip=1.1.1.1,port=1,state=online,offset=9,lag=0\r\nmaster_repl_offset:5\r\n", []Replica{{"1.1.1.1:1", "online", 0, 0}}},
	} {
		if got := parseReplicas([]byte(tt.info)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	if n := len(parseReplicas([]byte(strings.Repeat("slave1:ip=1.1.1.1,port=1\r\n", 1000)))); n != maxReplicas {
		t.Errorf("%d of 1000", n)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"web-1": "web-1", "": "", "a\x00\n\u202eb": "a\uFFFD\uFFFD\uFFFDb", "über": "über", "\xff": "\uFFFD",
		strings.Repeat("é", 65): strings.Repeat("é", 64) + "…", strings.Repeat("é", 64): strings.Repeat("é", 64),
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
