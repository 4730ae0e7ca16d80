package proxy

import (
	"testing"

	"steadis/proxy/resp"
)

func TestWaitCoversAll(t *testing.T) {
	for _, tt := range []struct {
		server, version string
		want            bool
	}{
		{"redis", "6.2.14", true},
		{"redis", "7.0.15", true},
		{"redis", "7.2.0", false},
		{"redis", "8.0.1", false},
		{"redis", "7.10.0", false},
		{"redis", "unstable", false},
		{"valkey", "7.0.15", false},
	} {
		hello := resp.AppendCommand(nil, "server", tt.server, "version", tt.version)
		if got := waitCoversAll(hello); got != tt.want {
			t.Errorf("%s %s: %v", tt.server, tt.version, got)
		}
	}
	if waitCoversAll([]byte("-NOAUTH no\r\n")) {
		t.Error("without an answer nothing may be taken for granted")
	}
}
