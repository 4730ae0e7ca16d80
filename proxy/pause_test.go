package proxy_test

import (
	"strings"
	"testing"
	"time"

	"steadis/proxy"
	"steadis/proxy/command"
)

// TestPingDuringClientPause: while CLIENT PAUSE that came through steadis lasts, a PING
// has to wait as it does before Redis; a pause of writes only does not stop it. Found by
// go-redis' own tests.
func TestPingDuringClientPause(t *testing.T) {
	const pause = 300 * time.Millisecond
	tests := []struct {
		name, pause, hello, ping, want string
		waits, same                    bool // same: the client that has paused asks
	}{
		{name: "all", pause: "CLIENT PAUSE 300", ping: "PING", want: "+PONG\r\n", waits: true},
		{name: "all, an argument", pause: "CLIENT PAUSE 300 ALL", ping: "PING x", want: "$1\r\nx\r\n", waits: true},
		{name: "all, RESP3", pause: "CLIENT PAUSE 300 ALL", hello: "HELLO 3", ping: "PING", want: "+PONG\r\n", waits: true},
		{name: "all, the same client", pause: "CLIENT PAUSE 300", ping: "PING", want: "+PONG\r\n", waits: true, same: true},
		{name: "writes", pause: "CLIENT PAUSE 60000 WRITE", ping: "PING", want: "+PONG\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			front, _, _ := inFront(t, proxy.Options{Commands: command.Policy{Allow: []string{"*"}}}, realRedis(t))
			pauser, pinger := newTalk(t, front), newTalk(t, front)
			if tt.same {
				pinger = pauser
			}
			if tt.hello != "" {
				pinger.send(wire(tt.hello, "ECHO ready"))
				for got := ""; !strings.HasSuffix(got, "ready\r\n"); {
					more, _ := pinger.take(1, 10*time.Second)
					if len(more) == 0 {
						t.Fatalf("%s: %q", tt.hello, got)
					}
					got += string(more)
				}
			}
			start := time.Now()
			pauser.send(wire(tt.pause))
			if got, _ := pauser.take(len("+OK\r\n"), 10*time.Second); string(got) != "+OK\r\n" {
				t.Fatalf("%s: %q", tt.pause, got)
			}
			pinger.send(wire(tt.ping))
			got, _ := pinger.take(len(tt.want), 10*time.Second)
			took := time.Since(start)
			if string(got) != tt.want {
				t.Errorf("%s: got %q, want %q", tt.ping, got, tt.want)
			}
			if tt.waits && took < pause-2*time.Millisecond { // Redis counts whole ms
				t.Errorf("%s was answered %v after %s", tt.ping, took, tt.pause)
			}
		})
	}
}
