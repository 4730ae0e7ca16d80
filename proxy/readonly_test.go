package proxy

import (
	"strings"
	"testing"

	"steadis/proxy/command"
)

// TestWhatWrites compares with what a replica of Redis 7.0 refuses (measured; scripts it
// runs until they write).
func TestWhatWrites(t *testing.T) {
	for _, test := range []struct {
		line            string
		refuse, standin bool // while a replica serves, and where the master may
	}{
		{"SET k v", true, true}, {"GET k", false, false}, {"DEL k", true, true}, {"FLUSHALL", true, true}, {"SWAPDB 0 1", true, true},
		{"GETEX k", false, false}, {"GETEX k PERSIST", true, true}, {"SORT k", false, false}, {"SORT k STORE d", true, true},
		{"PFCOUNT k", false, false}, {"PFADD k a", true, true}, {"BLPOP k 1", true, true}, {"XREAD BLOCK 1 STREAMS s 0", false, false},
		{"XREADGROUP GROUP g c STREAMS s >", true, true}, {"WAIT 1 1", false, false}, {"PUBLISH c m", false, false},
		{"EVAL s 0", false, true}, {"EVAL_RO s 0", false, false}, {"FCALL f 0", false, true}, {"SCRIPT LOAD s", false, false},
		{"FUNCTION LOAD s", true, true}, {"CONFIG SET a b", false, false}, {"CONFIG GET a", false, false}, {"DBSIZE", false, false},
		{"CLIENT LIST", false, false}, {"PING", false, false}, {"SUBSCRIBE c", false, false}, {"MULTI", false, false}, {"WATCH k", false, false},
		{"BGSAVE", false, false}, {"OBJECT ENCODING k", false, false}, {"nosuchcommand", false, true},
	} {
		var args [][]byte
		for _, word := range strings.Fields(test.line) {
			args = append(args, []byte(word))
		}
		info := command.Lookup(args)
		for _, standin := range []bool{false, true} {
			want := test.refuse
			if standin {
				want = test.standin
			}
			s := &Server{o: Options{Reader: true, Standin: standin}}
			if got := s.writesElsewhere(info); got != want {
				t.Errorf("%s (stand-in %v): refused is %v", test.line, standin, got)
			}
		}
		if (&Server{}).writesElsewhere(info) {
			t.Errorf("%s is refused before a master", test.line)
		}
	}
}
