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
	}{
		{1 << 20, 10_000, 10_000, ""},
		{10_128, 10_000, 10_000, ""},
		{10_127, 10_000, 9_999, "10127 file descriptors are too few for limits.clients 10000, which needs 10128; raise it (LimitNOFILE= in systemd, ulimit -n), or lower limits.clients; until then limits.clients is 9999"},
		{1024, 10_000, 896, "until then limits.clients is 896"},
		{144, 10_000, 16, "until then limits.clients is 16"},
		{143, 10_000, 0, "143 file descriptors are too few for clients at all, at least 144 are needed; raise the limit"},
		{143, 10, 10, ""},
	} {
		got, advice, err := affordClients(tt.limit, tt.clients)
		if err != nil {
			advice = err.Error()
		}
		if got != tt.want || (advice == "") != (tt.said == "") || !strings.Contains(advice, tt.said) {
			t.Errorf("%d descriptors, %d clients: %d, %q; want %d, %q", tt.limit, tt.clients, got, advice, tt.want, tt.said)
		}
	}
}
