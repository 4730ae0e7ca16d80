package roster

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The arguments of a fuzzed command are separated by slashes. Further seeds, one for
// each code path, are in testdata/fuzz, named for it.
func fuzzed(front, data string) [][]byte {
	return append(words(strings.Split(front, "/")...), bytes.Split([]byte(data), []byte("/"))...)
}

// checkFault checks that errText is "" or one whole error reply.
func checkFault(t *testing.T, errText string) {
	t.Helper()
	text, whole := strings.CutPrefix(errText, "-ERR ")
	text, ended := strings.CutSuffix(text, "\r\n")
	if errText != "" && (!whole || !ended || strings.ContainsAny(text, "\r\n\x00")) {
		t.Fatalf("%q is no error reply", errText)
	}
}

// number64 is string2ll in other words: what a 64-bit number is written as.
func number64(b []byte) (n int64, ok bool) {
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == string(b)
}

// sample are clients that no two filters take for the same.
var sample = []Client{
	{ID: 1, Addr: "a:1", LAddr: "l:1", User: "default"},
	{ID: 2, Addr: "a:2", LAddr: "l:1", User: "worker", Age: 5 * time.Second},
	{ID: 3, Addr: "a:3", LAddr: "l:2", User: "default", PubSub: true, Age: time.Hour},
	{ID: 4, Addr: "a:4", LAddr: "l:2", User: "worker", Kind: KindReplica},
	{ID: 5, Kind: KindMaster},
	{ID: 6, Addr: "s:0", LAddr: "s:0", User: "default", Monitor: true},
}

// FuzzParseList seeks a CLIENT LIST whose reply is malformed, that takes another id
// than it names, or that matches others than its ids or its type.
func FuzzParseList(f *testing.F) {
	f.Add("type/pubsub")
	f.Add("ID/3/1/3/-1")
	f.Fuzz(func(t *testing.T, data string) {
		args := fuzzed("CLIENT/LIST", data)
		filter, errText := ParseList(args)
		checkFault(t, errText)
		if errText != "" {
			return
		}
		if filter.IDs != nil && len(filter.IDs) != len(args)-3 {
			t.Fatalf("%q: ids %v", args, filter.IDs)
		}
		for i, id := range filter.IDs {
			if n, ok := number64(args[3+i]); !ok || uint64(n) != id {
				t.Errorf("%q: ids %v", args, filter.IDs)
			}
		}
		for _, c := range sample {
			want := slices.Contains(filter.IDs, c.ID)
			if filter.IDs == nil {
				kind, ok := ParseKind(args[3])
				want = ok && kind == c.kind()
			}
			if got := filter.Match(&c); got != want {
				t.Errorf("%q: client %d: %v, not %v", args, c.ID, got, want)
			}
		}
	})
}

// FuzzParseKill seeks a CLIENT KILL that is not what its filters are one by one: it
// has the first one's error, and matches what the last of each sort all match.
func FuzzParseKill(f *testing.F) {
	f.Add("a:1")
	f.Add("ID/2/TYPE/normal/USER/worker/ADDR/a:2/LADDR/l:1/SKIPME/no/MAXAGE/5")
	f.Fuzz(func(t *testing.T, data string) {
		args := fuzzed("CLIENT/KILL", data)
		if len(args) > 40 {
			return
		}
		k, errText := ParseKill(args)
		checkFault(t, errText)
		checkFault(t, k.UnknownUser(func(string) bool { return false }))
		if k.Old {
			for _, c := range sample {
				if got := k.Match(&c, 1); errText != "" || got != (or(c.Addr, noAddr) == string(cString(args[2]))) {
					t.Errorf("%q: client %d: %v, %q", args, c.ID, got, errText)
				}
			}
			return
		}
		wantErr, spare, last := "", true, map[string]KillRequest{}
		for i := 2; i < len(args) && wantErr == ""; i += 2 {
			if i+1 == len(args) {
				wantErr = errSyntax
				break
			}
			word := strings.ToLower(string(cString(args[i])))
			one, oneErr := ParseKill(append(words("CLIENT", "KILL"), args[i], args[i+1], []byte("SKIPME"), []byte("no")))
			wantErr = oneErr
			if last[word] = one; word == "skipme" {
				spare = is(args[i+1], "yes")
			}
		}
		if errText != wantErr {
			t.Fatalf("%q: %q, not %q", args, errText, wantErr)
		}
		for _, c := range sample {
			want := errText == "" && !(spare && c.ID == 1)
			for _, one := range last {
				want = want && one.Match(&c, 1)
			}
			if got := k.Match(&c, 1); got != want {
				t.Errorf("%q: client %d: %v, not %v", args, c.ID, got, want)
			}
		}
	})
}

// FuzzParseUnblock seeks a number that is read as another one, or not as Redis would.
func FuzzParseUnblock(f *testing.F) {
	f.Add("7/error")
	f.Add("-9223372036854775808/TIMEOUT")
	f.Fuzz(func(t *testing.T, data string) {
		args := fuzzed("CLIENT/UNBLOCK", data)
		id, withError, errText := ParseUnblock(args)
		checkFault(t, errText)
		n, ok := number64(args[2])
		ok = ok && (len(args) == 3 || len(args) == 4 && (is(args[3], "error") || is(args[3], "timeout")))
		if ok != (errText == "") || ok && id != uint64(n) || !ok && (id != 0 || withError) {
			t.Errorf("%q: %d, %v, %q", args, id, withError, errText)
		}
	})
}

// FuzzParseWords seeks arguments on which the parsers of single words fail, or that
// they take though they would break a line of CLIENT LIST.
func FuzzParseWords(f *testing.F) {
	f.Add("on")
	f.Add("lib-name/redis-py")
	f.Fuzz(func(t *testing.T, data string) {
		args := fuzzed("CLIENT/NO-EVICT", data)
		on, errText := ParseOnOff(args, 2)
		checkFault(t, errText)
		mode, modeErr := ParseReply(args)
		checkFault(t, modeErr)
		if errText == "" && (modeErr != "" || on != (mode == ReplyOn)) {
			t.Errorf("%q: %v as on or off, mode %v, %q", args, on, mode, modeErr)
		}
		_, value, errText := ParseSetInfo(args)
		checkFault(t, errText)
		for _, name := range []string{value, data} {
			if !ValidName([]byte(name)) {
				if name == value {
					t.Errorf("%q: %q is taken", args, value)
				}
				continue
			}
			line := string(AppendLine(nil, &Client{Name: name, LibName: name}))
			if got := len(strings.Fields(line)); got != len(keys)+2 || strings.Count(line, "\n") != 1 {
				t.Errorf("%q makes %q, of %d fields", name, line, got)
			}
		}
	})
}
