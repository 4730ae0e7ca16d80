package main

import (
	"strings"
	"testing"
)

func TestAffordClients(t *testing.T) {
	for _, tt := range []struct {
		limit   uint64
		clients int
		want    int
		said    string // in the advice or the error
		masters int    // 0: one
		crowds  int    // 0: one
	}{
		{1 << 20, 10_000, 10_000, "", 0, 0},
		{10_128, 10_000, 10_000, "", 0, 0},
		{10_127, 10_000, 9_999, "10127 file descriptors are too few for limits.clients 10000, which needs 10128; raise it (LimitNOFILE= in systemd, ulimit -n), or lower limits.clients; until then limits.clients is 9999", 0, 0},
		{1024, 10_000, 896, "until then limits.clients is 896", 0, 0},
		{144, 10_000, 16, "until then limits.clients is 16", 0, 0},
		{143, 10_000, 0, "143 file descriptors are too few for clients at all, at least 144 are needed; raise the limit", 0, 0},
		{143, 10, 10, "", 0, 0},
		{10_128, 10_000, 9_968, "limits.clients 10000, which needs 10160", 2, 0},
		{10_160, 10_000, 10_000, "", 2, 0},
		{20_128, 10_000, 10_000, "", 0, 2},
		{10_128, 10_000, 5_000, "limits.clients 10000, at listen_replicas anew, which needs 20128", 0, 2},
		{159, 10_000, 0, "at least 160 are needed", 0, 2},
	} {
		got, advice, err := affordClients(tt.limit, demand{tt.clients, max(tt.crowds, 1), max(tt.masters, 1)})
		if err != nil {
			advice = err.Error()
		}
		if got != tt.want || (advice == "") != (tt.said == "") || !strings.Contains(advice, tt.said) {
			t.Errorf("%d descriptors, %d clients: %d, %q; want %d, %q", tt.limit, tt.clients, got, advice, tt.want, tt.said)
		}
	}
}
