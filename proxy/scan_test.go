package proxy

import (
	"testing"

	"steadis/proxy/command"
	"steadis/proxy/resp"
)

func scanRequest(words ...string) *request {
	raw := resp.AppendCommand(nil, words...)
	args := resp.SplitCommand(raw)
	return &request{raw: raw, args: args, info: command.Lookup(args), rare: &plainRequest}
}

// TestCursors: a cursor goes to the master that gave it; to another one goes 0.
func TestCursors(t *testing.T) {
	scan := func(cursor string) string { return string(resp.AppendCommand(nil, "SCAN", cursor, "COUNT", "10")) }
	const tag7, tag8 = "7696581394442", "8796093022218" // 10 under epoch 7 and 8
	for _, tt := range []struct {
		name, given string
		epoch       uint64
		want        string
	}{
		{"beginning", "0", 7, "0"},
		{"before the first failover", "10", 0, "10"},
		{"of before the first failover", "10", 1, "0"},
		{"the same master", tag7, 7, "10"},
		{"the next master", tag7, 8, "0"},
		{"the master before", tag8, 7, "0"},
		{"epochs begin again", tag7, 0, "0"},
		{"no number", "x", 7, "x"},
		{"too large to be ours", "18446744073709551615", 7, "18446744073709551615"},
	} {
		r := scanRequest("SCAN", tt.given, "COUNT", "10")
		aimCursor(r, tt.epoch)
		if got := string(r.raw); got != scan(tt.want) {
			t.Errorf("%s: %s in epoch %d is sent as %q, want cursor %s", tt.name, tt.given, tt.epoch, got, tt.want)
		}
	}
	r := scanRequest("HSCAN", "h", tag7)
	aimCursor(r, 8)
	aimCursor(r, 7) // held meanwhile: it goes back to the master that gave it
	if got, want := string(r.raw), string(resp.AppendCommand(nil, "HSCAN", "h", "10")); got != want {
		t.Errorf("aimed twice: %q, want %q", got, want)
	}
	for _, tt := range []struct {
		epoch       uint64
		frame, want string
	}{
		{7, "*2\r\n$2\r\n10\r\n*0\r\n", "*2\r\n$13\r\n" + tag7 + "\r\n*0\r\n"},
		{0, "*2\r\n$2\r\n10\r\n*0\r\n", "*2\r\n$2\r\n10\r\n*0\r\n"},
		{7, "*2\r\n$1\r\n0\r\n*0\r\n", "*2\r\n$1\r\n0\r\n*0\r\n"},
		{7, "-ERR invalid cursor\r\n", "-ERR invalid cursor\r\n"},
		{7, "+QUEUED\r\n", "+QUEUED\r\n"},
	} {
		if got := string(taggedCursor(r, tt.epoch, []byte(tt.frame))); got != tt.want {
			t.Errorf("epoch %d: %q becomes %q, want %q", tt.epoch, tt.frame, got, tt.want)
		}
	}
	for epoch := uint64(1); epoch < 10_000; epoch++ {
		if tag := tagOf(epoch); tag == 0 || tag >= 1<<tagBits || tagOf(epoch+1) == tag {
			t.Fatalf("tag of epoch %d is %d", epoch, tag)
		}
	}
}

// TestMuting: which commands CLIENT REPLY leaves without an answer.
func TestMuting(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines [][]string
		muted string // m for each that gets no reply, else .
	}{
		{"off", [][]string{{"CLIENT", "REPLY", "OFF"}, {"GET", "k"}, {"GET", "k"}}, "mmm"},
		{"off and on", [][]string{{"CLIENT", "REPLY", "OFF"}, {"GET", "k"}, {"CLIENT", "REPLY", "ON"}, {"GET", "k"}}, "mm.."},
		{"skip", [][]string{{"CLIENT", "REPLY", "SKIP"}, {"GET", "k"}, {"GET", "k"}}, "mm."},
		{"skip twice", [][]string{{"CLIENT", "REPLY", "SKIP"}, {"CLIENT", "REPLY", "SKIP"}, {"GET", "k"}, {"GET", "k"}}, "mmm."},
		{"skip and on", [][]string{{"CLIENT", "REPLY", "SKIP"}, {"CLIENT", "REPLY", "ON"}, {"GET", "k"}}, "m.."},
		{"skip while off", [][]string{{"CLIENT", "REPLY", "OFF"}, {"CLIENT", "REPLY", "SKIP"}, {"GET", "k"}, {"GET", "k"}}, "mmmm"},
		{"wrong", [][]string{{"CLIENT", "REPLY", "NO"}, {"GET", "k"}, {"CLIENT", "REPLY"}}, "..."},
		{"wrong while off", [][]string{{"CLIENT", "REPLY", "OFF"}, {"CLIENT", "REPLY", "NO"}}, "mm"},
		{"reset", [][]string{{"CLIENT", "REPLY", "OFF"}, {"RESET"}, {"GET", "k"}}, "m.."},
	} {
		s, got := &Session{}, ""
		for _, words := range tt.lines {
			r := scanRequest(words...)
			if s.muted(r.info, r.args) {
				got += "m"
			} else {
				got += "."
			}
		}
		if got != tt.muted {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.muted)
		}
	}
}
