package roster

import (
	"slices"
	"testing"
	"time"
)

func TestParseKill(t *testing.T) {
	const badType = "-ERR Unknown client type 'x'\r\n"
	tests := []struct {
		args    []string // behind CLIENT KILL
		errText string
		unknown string // what UnknownUser says if there are default and worker
		match   []uint64
	}{
		{args: nil, errText: "-ERR wrong number of arguments for 'client|kill' command\r\n"},

		// The old form: an address, whatever it looks like; the caller, 1, is not spared.
		{args: []string{"a:1"}, match: []uint64{1}},
		{args: []string{"a:1\x00x"}, match: []uint64{1}},
		{args: []string{"A:1"}},
		{args: []string{"id"}},
		{args: []string{""}},
		{args: []string{"?:0"}, match: []uint64{6}},
		{args: []string{"/s:0"}, match: []uint64{4, 5}},

		{args: []string{"ID", "2"}, match: []uint64{2}},
		{args: []string{"id", "1"}}, // that is the caller
		{args: []string{"id", "1", "skipme", "NO"}, match: []uint64{1}},
		{args: []string{"id", "2", "id", "3"}, match: []uint64{3}},
		{args: []string{"skipme", "yes"}, match: []uint64{2, 3, 4, 5, 6}},
		{args: []string{"skipme", "no", "skipme", "yes"}, match: []uint64{2, 3, 4, 5, 6}},
		{args: []string{"skipme", "no"}, match: []uint64{1, 2, 3, 4, 5, 6}},
		{args: []string{"ADDR", "a:2"}, match: []uint64{2}},
		{args: []string{"ADDR", "a:2\x00x"}, match: []uint64{2}},
		{args: []string{"LADDR", "l:1"}, match: []uint64{2, 3}},
		{args: []string{"LADDR", "l:1\x00x"}, match: []uint64{2, 3}},
		{args: []string{"LADDR", "l:1", "ADDR", "a:3"}, match: []uint64{3}},
		{args: []string{"LADDR", "l:1", "ADDR", "a:1"}},
		{args: []string{"ADDR", "", "SKIPME", "no"}},
		{args: []string{"USER", "worker"}, match: []uint64{3, 4}},
		{args: []string{"USER", "worker", "USER", "default"}, match: []uint64{2, 6}},
		{args: []string{"USER", "worker\x00"}, unknown: "-ERR No such user 'worker'\r\n"}, // a name, unlike words, is not cut
		{args: []string{"USER", ""}, unknown: "-ERR No such user ''\r\n"},
		{args: []string{"USER", "no\nbody", "USER", "x"}, unknown: "-ERR No such user 'no body'\r\n"},
		{args: []string{"TYPE", "pubsub"}, match: []uint64{2}},
		{args: []string{"TYPE", "slave"}, match: []uint64{3}},
		{args: []string{"TYPE", "normal", "USER", "worker"}, match: []uint64{4}},
		{args: []string{"MAXAGE", "5"}, match: []uint64{4, 5}},
		{args: []string{"MAXAGE", "6"}, match: []uint64{5}},
		{args: []string{"MAXAGE", "9223372036854775807"}},

		{args: []string{"id", "10", "wrong_arg"}, errText: errSyntax},
		{args: []string{"what", "10"}, errText: errSyntax},
		{args: []string{"skipme", "perhaps"}, errText: errSyntax},
		{args: []string{"s\u212aipme", "yes"}, errText: errSyntax},
		{args: []string{"id", "str"}, errText: errKillID},
		{args: []string{"id", "0"}, errText: errKillID},
		{args: []string{"id", "-1"}, errText: errKillID},
		{args: []string{"id", "9223372036854775808"}, errText: errKillID},
		{args: []string{"maxage", "1.5"}, errText: "-ERR maxage is not an integer or out of range\r\n"},
		{args: []string{"maxage", "0"}, errText: "-ERR maxage should be greater than 0\r\n"},
		{args: []string{"maxage", "-1"}, errText: "-ERR maxage should be greater than 0\r\n"},
		{args: []string{"type", "x"}, errText: badType},

		// The first fault is told.
		{args: []string{"type", "x", "id", "0"}, errText: badType},
		{args: []string{"id", "0", "type", "x"}, errText: errKillID},
		{args: []string{"type", "x", "wrong_arg"}, errText: badType},
		{args: []string{"user", "x", "type", "x"}, errText: badType, unknown: "-ERR No such user 'x'\r\n"},
		{args: []string{"type", "x", "user", "x"}, errText: badType},
		{args: []string{"user", "x", "wrong_arg"}, errText: errSyntax, unknown: "-ERR No such user 'x'\r\n"},
	}
	clients := []Client{
		{ID: 1, Addr: "a:1", LAddr: "l:2"},
		{ID: 2, Addr: "a:2", LAddr: "l:1", User: "default", PubSub: true},
		{ID: 3, Addr: "a:3", LAddr: "l:1", User: "worker", Kind: KindReplica},
		{ID: 4, Addr: "/s:0", LAddr: "/s:0", User: "worker", Age: 5 * time.Second},
		{ID: 5, Addr: "/s:0", LAddr: "/s:0", Age: 7*time.Second - 1},
		{ID: 6, User: "default"},
	}
	const self = 1
	known := func(name string) bool { return name == "default" || name == "worker" }
	for _, tt := range tests {
		k, errText := ParseKill(words(append([]string{"CLIENT", "KILL"}, tt.args...)...))
		if errText != tt.errText {
			t.Errorf("%q: %q, not %q", tt.args, errText, tt.errText)
		}
		if unknown := k.UnknownUser(known); unknown != tt.unknown {
			t.Errorf("%q: %q, not %q", tt.args, unknown, tt.unknown)
		}
		if k.Old != (len(tt.args) == 1) {
			t.Errorf("%q: old form: %v", tt.args, k.Old)
		}
		var match []uint64
		for _, c := range clients {
			if k.Match(&c, self) {
				match = append(match, c.ID)
			}
		}
		if !slices.Equal(match, tt.match) {
			t.Errorf("%q: matches %v, not %v", tt.args, match, tt.match)
		}
	}
}

func TestNoRequestMatchesNobody(t *testing.T) {
	var k KillRequest
	if k.Match(&Client{ID: 1}, 2) {
		t.Error("the zero KillRequest matches")
	}
}

func TestKillReply(t *testing.T) {
	tests := []struct {
		old    bool
		closed int
		want   string
	}{
		{true, 0, "-ERR No such client\r\n"},
		{true, 1, "+OK\r\n"},
		{true, 2, "+OK\r\n"},
		{false, 0, ":0\r\n"},
		{false, 12, ":12\r\n"},
	}
	for _, tt := range tests {
		if got := string(KillRequest{Old: tt.old}.AppendReply([]byte("x"), tt.closed)); got != "x"+tt.want {
			t.Errorf("old %v, %d: %q, not %q", tt.old, tt.closed, got, "x"+tt.want)
		}
	}
}
