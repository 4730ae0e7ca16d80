package sentinel

import (
	"net"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseEvent(t *testing.T) {
	o := &Options{}
	tests := []struct {
		channel, payload string
		want             event
		ok               bool
	}{
		{"+try-failover", "master mymaster 127.0.0.1 6379", event{"+try-failover", "mymaster", "master", "127.0.0.1:6379"}, true},
		{"+odown", "master mymaster 10.0.0.1 6379 #quorum 2/2", event{"+odown", "mymaster", "master", "10.0.0.1:6379"}, true},
		{"+switch-master", "mymaster 10.0.0.1 6379 10.0.0.2 6379", event{"+switch-master", "mymaster", "master", "10.0.0.1:6379"}, true},
		{"+promoted-slave", "slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379", event{"+promoted-slave", "mymaster", "slave", "10.0.0.1:6379"}, true},
		{"+config-update-from", "sentinel abc 10.0.1.1 26379 @ mymaster 10.0.0.1 6379", event{"+config-update-from", "mymaster", "sentinel", "10.0.0.1:6379"}, true},
		{"+sdown", "master mymaster 2001:db8::1 6379", event{"+sdown", "mymaster", "master", "[2001:db8::1]:6379"}, true},
		{"+new-epoch", "12", event{name: "+new-epoch"}, true},
		{"+tilt", "#tilt mode entered", event{name: "+tilt"}, true},
		{"+try-failover", "master mymaster 127.0.0.1 70000", event{"+try-failover", "mymaster", "master", ""}, true},
		{"+try-failover", "master mymaster", event{}, false},
		{"+switch-master", "mymaster 10.0.0.1 6379", event{}, false},
		{"+sdown", "slave a b c mymaster d e f", event{}, false},
		{"+sdown", "", event{}, false},
		{"", "master mymaster 127.0.0.1 6379", event{}, false},
		{"+sdown", strings.Repeat("x", maxPayload+1), event{}, false},
	}
	for _, tt := range tests {
		if got, ok := parseEvent(o, tt.channel, tt.payload); got != tt.want || ok != tt.ok {
			t.Errorf("%s %q: got %+v %t, want %+v %t", tt.channel, tt.payload, got, ok, tt.want, tt.ok)
		}
	}
}

// FuzzEvent: no payload panics, and what is accepted is bounded, printable and,
// where it names an address, dialable.
func FuzzEvent(f *testing.F) {
	f.Add("+try-failover", "master mymaster 127.0.0.1 6379")
	f.Add("+switch-master", "mymaster 127.0.0.1 6379 127.0.0.1 6380")
	f.Add("+promoted-slave", "slave 127.0.0.1:6380 127.0.0.1 6380 @ mymaster 127.0.0.1 6379")
	o := &Options{AddressMap: map[string]string{"a:1": "b:2", "a": "[::1]"}}
	f.Fuzz(func(t *testing.T, channel, payload string) {
		ev, ok := parseEvent(o, channel, payload)
		if !ok {
			if ev != (event{}) {
				t.Errorf("refused, yet %+v", ev)
			}
			return
		}
		if ev.name == "" || len(ev.name) > maxChannel || !utf8.ValidString(ev.name) || len(ev.master) > maxPayload {
			t.Errorf("%+v", ev)
		}
		if ev.subject != "" {
			if host, port, err := net.SplitHostPort(ev.subject); err != nil || host == "" || port == "" {
				t.Errorf("%q: %v", ev.subject, err)
			}
		}
		if ev.beginsFailover() && ev.master == "" {
			t.Errorf("a failover of nothing: %+v", ev)
		}
	})
}

// FuzzAnswer: no reply to SENTINEL MASTER and its partner panics, and what is
// accepted has an address and is bounded.
func FuzzAnswer(f *testing.F) {
	f.Add("127.0.0.1", "6379", "127.0.0.1", "6379", "7", "master,o_down", "none", "3")
	f.Add("::1", "6379", "host", "1", "0", "", "wait_promotion", "x")
	o := &Options{}
	f.Fuzz(func(t *testing.T, host, port, ip, ipPort, epoch, flags, stage, quorum string) {
		a, ok := parseAnswer(o, map[string]string{"ip": ip, "port": ipPort, "config-epoch": epoch, "flags": flags,
			"failover-state": stage, "quorum": quorum}, []string{host, port})
		if !ok {
			return
		}
		if _, _, err := net.SplitHostPort(a.addr); err != nil || !a.known {
			t.Errorf("%+v", a)
		}
		if len(a.raw) > 4*maxFlags || len(a.stage) > 4*maxStage || !utf8.ValidString(a.raw+a.stage) {
			t.Errorf("%+v", a)
		}
	})
}

func TestReplyScanner(t *testing.T) {
	tests := []struct {
		name, stream string
		ok           bool
	}{
		{"simple", "+OK\r\n-ERR x\r\n:1\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n", true},
		{"nested", "*3\r\n*1\r\n*2\r\n:1\r\n$3\r\na\nb\r\n:2\r\n*0\r\n+next\r\n", true},
		{"many replies", strings.Repeat("*2\r\n$1\r\na\r\n$1\r\nb\r\n", maxReplyElements), true},
		{"huge bulk", "$9223372036854775807\r\n", false},
		{"negative bulk", "$-2\r\n", false},
		{"huge array", "*2147483647\r\n", false},
		{"array overflow", "*99999999999999999999\r\n", false},
		{"deep", strings.Repeat("*1\r\n", maxReplyDepth+1), false},
		{"many elements", "*" + "32768\r\n" + strings.Repeat(":1\r\n", maxReplyElements), false},
		{"map", "%1\r\n", false},
		{"no CR", "+OK\n", false},
		{"empty line", "\r\n", false},
		{"endless line", "+" + strings.Repeat("x", maxReplyLine+1), false},
	}
	for _, tt := range tests {
		var s replyScanner
		if err := s.feed([]byte(tt.stream)); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// FuzzReplyScanner: how a stream is cut does not matter, and what is kept is bounded.
func FuzzReplyScanner(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nabc\r\n:5\r\n+OK\r\n"), uint8(3))
	f.Add([]byte("*1\r\n$9223372036854775807\r\nx"), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, cut uint8) {
		var whole, pieces replyScanner
		want := whole.feed(stream)
		var got error
		for part := range slices.Chunk(stream, int(cut)+1) {
			if got = pieces.feed(part); got != nil {
				break
			}
		}
		if (want == nil) != (got == nil) {
			t.Errorf("whole: %v, in pieces: %v", want, got)
		}
		if len(whole.open) > maxReplyDepth || len(whole.line) > maxReplyLine+1 || whole.skip > maxReplyBulk+2 {
			t.Errorf("%+v", whole)
		}
	})
}
