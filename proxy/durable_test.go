package proxy

import "testing"

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
		hello := "*6\r\n$6\r\nserver\r\n+" + tt.server + "\r\n$7\r\nversion\r\n+" + tt.version + "\r\n$5\r\nproto\r\n:2\r\n"
		if got := waitCoversAll([]byte(hello)); got != tt.want {
			t.Errorf("%s %s: %v", tt.server, tt.version, got)
		}
	}
	if waitCoversAll([]byte("-NOAUTH no\r\n")) {
		t.Error("without an answer nothing may be taken for granted")
	}
}
