package roster

import (
	"slices"
	"testing"
)

func TestParseList(t *testing.T) {
	tests := []struct {
		args    []string
		errText string
		match   []uint64 // of the clients below
		ids     []uint64
	}{
		{args: []string{"CLIENT"}, errText: "-ERR wrong number of arguments for 'client|list' command\r\n"},
		{args: []string{"CLIENT", "LIST"}, match: []uint64{1, 2, 3, 4, 5, 6}},
		{args: []string{"CLIENT", "LIST", "TYPE", "normal"}, match: []uint64{1, 6}},
		{args: []string{"client", "list", "tYpE", "PubSub"}, match: []uint64{2, 5}},
		{args: []string{"CLIENT", "LIST", "type", "replica"}, match: []uint64{3}},
		{args: []string{"CLIENT", "LIST", "type", "slave"}, match: []uint64{3}},
		{args: []string{"CLIENT", "LIST", "type", "master"}, match: []uint64{4}},
		{args: []string{"CLIENT", "LIST", "type\x00x", "normal\x00"}, match: []uint64{1, 6}},
		{args: []string{"CLIENT", "LIST", "ID", "3", "1"}, match: []uint64{1, 3}, ids: []uint64{3, 1}},
		{args: []string{"CLIENT", "LIST", "ID", "2", "99", "2", "-1", "0"}, match: []uint64{2}, ids: []uint64{2, 99, 2, 1<<64 - 1, 0}},
		{args: []string{"CLIENT", "LIST", "ID"}, errText: errSyntax},
		{args: []string{"CLIENT", "LIST", "TYPE"}, errText: errSyntax},
		{args: []string{"CLIENT", "LIST", "TYPE", "normal", "pubsub"}, errText: errSyntax},
		{args: []string{"CLIENT", "LIST", "NOT-ID", "1"}, errText: errSyntax},
		{args: []string{"CLIENT", "LIST", "SKIPME", "yes"}, errText: errSyntax}, // no filter of LIST
		{args: []string{"CLIENT", "LIST", "ID", "1", "x", "2"}, errText: "-ERR Invalid client ID\r\n"},
		{args: []string{"CLIENT", "LIST", "ID", "01"}, errText: "-ERR Invalid client ID\r\n"},
		{args: []string{"CLIENT", "LIST", "ID", "9223372036854775808"}, errText: "-ERR Invalid client ID\r\n"},
		{args: []string{"CLIENT", "LIST", "TYPE", "norma"}, errText: "-ERR Unknown client type 'norma'\r\n"},
		{args: []string{"CLIENT", "LIST", "TYPE", "a\r\nb\x00c"}, errText: "-ERR Unknown client type 'a  b'\r\n"},
		{args: []string{"CLIENT", "LIST", "TYPE", "replica\u212a"}, errText: "-ERR Unknown client type 'replica\u212a'\r\n"},
	}
	clients := []Client{
		{ID: 1}, {ID: 2, PubSub: true}, {ID: 3, Kind: KindReplica}, {ID: 4, Kind: KindMaster}, {ID: 5, Kind: KindPubSub}, {ID: 6, Monitor: true},
	}
	for _, tt := range tests {
		f, errText := ParseList(words(tt.args...))
		if errText != tt.errText {
			t.Errorf("%q: %q, not %q", tt.args, errText, tt.errText)
		}
		if errText != "" {
			continue
		}
		var match []uint64
		for _, c := range clients {
			if f.Match(&c) {
				match = append(match, c.ID)
			}
		}
		if !slices.Equal(match, tt.match) || !slices.Equal(f.IDs, tt.ids) {
			t.Errorf("%q: matches %v, ids %v; not %v, %v", tt.args, match, f.IDs, tt.match, tt.ids)
		}
	}
}

func TestKindWords(t *testing.T) {
	for _, k := range []Kind{KindNormal, KindMaster, KindReplica, KindPubSub} {
		if got, ok := ParseKind([]byte(k.String())); got != k || !ok {
			t.Errorf("%s is read as %s, %v", k, got, ok)
		}
	}
}
