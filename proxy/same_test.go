package proxy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"steadis/proxy"
)

// TestSameBytesAsRedis compares sequences of raw bytes.
func TestSameBytesAsRedis(t *testing.T) {
	plain, behind := realRedis(t), realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, behind)
	shared, _, _ := inFront(t, proxy.Options{Upstream: proxy.UpstreamOptions{Subscribers: -1}}, behind)
	w := wire
	for _, tt := range []struct {
		name   string
		chunks []string
	}{
		{"plain", []string{w("SET k v", "GET k", "GET none", "INCR k", "LPUSH k 1", "DEL k")}},
		{"unknown and arity", []string{w("NOSUCH a b", "GET", "SET a", "PING a b", "ECHO", "CLIENT", "SELECT", "SELECT 1 2", "AUTH", "QUIT x")}},
		{"select", []string{w("SET k zero", "SELECT 1", "GET k", "SET k one", "SELECT 0", "GET k"), w("SELECT 99", "GET k", "SELECT -1", "SELECT a", "SELECT 1", "GET k")}},
		{"auth without password", []string{w("AUTH x", "AUTH default x", "AUTH a b", "AUTH a b c", "GET k")}},
		{"hello", []string{w("HELLO x", "HELLO 4", "HELLO 2 AUTH", "HELLO 2 FOO", "HELLO 2 SETNAME a_b", "HELLO 1")}},
		{"reset", []string{w("SELECT 2", "SET k 2", "RESET", "GET k"), w("MULTI", "SET k 1", "RESET", "GET k", "EXEC"), w("WATCH k", "RESET", "MULTI", "EXEC")}},
		{"quit", []string{w("SET k 1", "QUIT", "SET k 2")}},
		{"inline", []string{"SET k hello\r\nGET k\r\n\r\n  \r\nGET \"k\"\r\nPING\n", "GET \"k\r\n"}},
		{"empty frames", []string{"*0\r\n*-1\r\n" + w("PING"), "*\r\n" + w("PING")}},
		{"odd frames", []string{"*1\r\n$0\r\n\r\n" + w("PING")}},
		{"one byte", []string{"*", "1", "\r\n$4\r\nPI", "NG\r\n"}},
		{"POST", []string{"POST / HTTP/1.1\r\nHost: x\r\n\r\n"}},
		{"Host", []string{"Host: x\r\n"}},
		{"multi", []string{w("MULTI", "SET k 1", "INCR k", "GET k", "EXEC"), w("MULTI"), w("INCR k"), w("EXEC"), w("EXEC", "DISCARD"), w("MULTI", "SET k 9", "DISCARD", "GET k")}},
		{"multi errors", []string{w("MULTI", "SET k", "EXEC"), w("MULTI", "NOSUCH", "SET k 1", "EXEC", "GET k"), w("MULTI", "LPUSH k 1", "INCR k", "EXEC"), w("MULTI", "MULTI", "SET k 1", "EXEC"), w("MULTI", "WATCH k", "SET k 2", "EXEC", "GET k")}},
		{"multi one by one, errors", []string{w("MULTI"), w("SET k"), w("EXEC"), w("MULTI"), w("MULTI"), w("WATCH k"), w("SET k 3"), w("EXEC"), w("GET k"), w("MULTI x"), w("EXEC x"), w("EXEC")}},
		{"watch", []string{w("WATCH k", "MULTI", "SET k 1", "EXEC"), w("WATCH k"), w("SET k 2"), w("MULTI"), w("SET k 3"), w("EXEC"), w("GET k"), w("WATCH", "UNWATCH", "WATCH k", "UNWATCH", "SET k 4", "MULTI", "GET k", "EXEC")}},
		{"watch and blocking", []string{w("RPUSH l a", "WATCH k", "BLPOP l 1", "SET k 1", "MULTI", "GET k", "EXEC")}},
		{"select in multi", []string{w("MULTI", "SELECT 3", "SET m 3", "EXEC", "GET m", "SELECT 0", "GET m")}},
		{"select in multi fails", []string{w("SET k 0", "MULTI", "SELECT 99", "EXEC", "GET k")}},
		{"select in multi fails later", []string{w("MULTI", "SELECT 3", "SELECT x", "SET m 4", "EXEC", "GET m", "SELECT 0", "GET m")}},
		{"select while watching", []string{w("WATCH k", "SELECT 1", "MULTI", "SET k 1", "EXEC", "SELECT 0")}},
		{"discard after select", []string{w("MULTI", "SELECT 3", "DISCARD", "SET k d", "GET k")}},
		{"ping in multi", []string{w("MULTI", "PING", "PING x", "EXEC"), w("MULTI"), w("PING"), w("EXEC")}},
		{"blocking in multi", []string{w("MULTI", "BLPOP none 0", "EXEC"), w("MULTI"), w("BLPOP none 0"), w("EXEC")}},
		{"scripts", []string{w("EVAL return_1 0", "EVAL return_redis.call('get','k') 0", "EVALSHA 0123456789012345678901234567890123456789 0", "SCRIPT LOAD return_2", "EVALSHA 7f923f79fe76194c868d7e1d0820de36700eb649 0")}},
		{"subscribe", []string{w("SUBSCRIBE a b", "SUBSCRIBE a", "PSUBSCRIBE p*"), w("PING", "PING x"), w("GET k", "SET k 1", "MULTI", "PUBLISH a x"), w("UNSUBSCRIBE a", "UNSUBSCRIBE nope", "PUNSUBSCRIBE", "UNSUBSCRIBE"), w("GET k", "PING")}},
		{"unsubscribe without", []string{w("UNSUBSCRIBE"), w("UNSUBSCRIBE a b", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "GET k")}},
		{"subscribe arity", []string{w("SUBSCRIBE", "PSUBSCRIBE", "GET k"), w("SUBSCRIBE a", "SUBSCRIBE", "UNSUBSCRIBE a", "GET k")}},
		{"subscribe twice the same", []string{w("SUBSCRIBE a a"), w("UNSUBSCRIBE a a"), w("GET k")}},
		{"subscribe and quit", []string{w("SUBSCRIBE a", "QUIT")}},
		{"subscribe and reset", []string{w("SUBSCRIBE a", "RESET", "GET k")}},
		{"subscribe, unsubscribe and go on", []string{w("SUBSCRIBE a", "UNSUBSCRIBE", "SELECT 3", "SET x 3", "GET x", "SELECT 0", "GET x"), w("GET x", "SELECT 3", "GET x")}},
		{"subscribe, unsubscribe, select, go on", []string{w("SUBSCRIBE a", "UNSUBSCRIBE", "SELECT 3", "SET x 3"), w("GET x"), w("SELECT 0", "GET x")}},
		{"subscribe, unsubscribe and open multi", []string{w("SUBSCRIBE a", "UNSUBSCRIBE", "MULTI"), w("SET x 1"), w("EXEC")}},
		{"subscribe, unsubscribe and multi", []string{w("SUBSCRIBE a", "UNSUBSCRIBE a", "MULTI", "SET x 1", "EXEC", "GET x")}},
		{"subscribe and select", []string{w("SUBSCRIBE a", "SELECT 1"), w("UNSUBSCRIBE"), w("SET y 1", "SELECT 0")}},
		{"subscribe in multi", []string{w("SUBSCRIBE a"), w("PUBLISH a x")}},
		{"sharded", []string{w("SSUBSCRIBE a"), w("SUNSUBSCRIBE", "GET k")}},
		{"blocking", []string{w("RPUSH q 1 2", "BLPOP q 0", "BLPOP q 1", "LLEN q"), w("BLPOP q 0.01", "GET k"), w("BLPOP q x", "BLPOP q -1", "BLPOP q", "BRPOPLPUSH q r 0.01", "BLMPOP 0.01 1 q LEFT", "BZPOPMIN z 0.01")}},
		{"blocking wrong type", []string{w("SET k 1", "BLPOP k 0")}},
		{"xread", []string{w("XADD s 1-1 a b", "XREAD STREAMS s 0", "XREAD BLOCK 10 STREAMS s $", "XREAD BLOCK 10 STREAMS s 0", "GET k")}},
		{"wait", []string{w("SET k 1", "WAIT 0 10", "WAIT 1 10", "WAIT x 1", "WAIT 1 -1", "WAIT 1")}},
		{"big numbers", []string{w("SET k 9223372036854775807", "INCR k", "INCRBYFLOAT k 1e300")}},
		{"binary", []string{"*3\r\n$3\r\nSET\r\n$2\r\n\x00\xff\r\n$4\r\n\r\n\r\n\r\n*2\r\n$3\r\nGET\r\n$2\r\n\x00\xff\r\n"}},
		{"half frame and fault", []string{w("SET k 1") + "*3\r\n$x\r\n"}},
		{"fault in multi", []string{w("MULTI", "SET k 1") + "*3\r\n$x\r\n"}},
		{"subscribe and reply off", []string{w("SUBSCRIBE a", "UNSUBSCRIBE b", "CLIENT REPLY OFF", "PING"), w("UNSUBSCRIBE", "CLIENT REPLY OFF", "GET k", "CLIENT REPLY ON", "GET k")}},
		{"subscribe and multi and reply off", []string{w("SUBSCRIBE a", "MULTI", "UNSUBSCRIBE a", "CLIENT REPLY SKIP", "GET k", "GET k")}},
		{"reply off and subscribe", []string{w("CLIENT REPLY OFF", "SUBSCRIBE a b", "UNSUBSCRIBE a", "PING", "UNSUBSCRIBE", "CLIENT REPLY ON"), w("CLIENT REPLY SKIP", "SUBSCRIBE c", "PING", "UNSUBSCRIBE c", "CLIENT REPLY SKIP", "UNSUBSCRIBE d", "GET k")}},
		{"reply skip and more", []string{w("CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "GET k", "GET k", "CLIENT REPLY OFF", "CLIENT REPLY SKIP", "GET k", "RESET", "CLIENT REPLY SKIP", "SELECT 1", "GET k")}},
		{"monitor twice", []string{w("MONITOR", "MONITOR", "RESET", "GET k")}},
		{"replica commands", []string{w("ROLE", "OBJECT HELP", "CONFIG GET maxmemory", "DBSIZE", "TYPE k")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fronts := []string{front}
			if strings.Contains(tt.name, "subscri") || tt.name == "sharded" {
				fronts = append(fronts, shared) // and as one of thousands of subscribers
			}
			for _, front := range fronts {
				flushed(t, plain, behind)
				a, b := newTalk(t, plain), newTalk(t, front)
				for _, odd := range []string{"inline", "empty frames", "one byte", "POST", "Host", "half frame and fault", "fault in multi", "quit", "subscribe and quit", "monitor twice"} {
					a.odd = a.odd || tt.name == odd || strings.Contains(tt.name, "reply")
					b.odd = a.odd
				}
				compare(t, a, b, tt.chunks)
			}
		})
	}
}

// TestDeepPipelineAndBigValues: ten thousand commands in one write; 10 MB values.
func TestDeepPipelineAndBigValues(t *testing.T) {
	front, _, _ := inFront(t, proxy.Options{}, realRedis(t))
	k := newTalk(t, front)
	var in, want strings.Builder
	for i := range 10_000 {
		v := fmt.Sprintf("value-%d", i)
		in.WriteString(wire("ECHO " + v))
		fmt.Fprintf(&want, "$%d\r\n%s\r\n", len(v), v)
	}
	go k.send(in.String())
	if got, _ := k.take(want.Len(), 10*time.Second); string(got) != want.String() {
		t.Errorf("pipeline of 10,000: got %d bytes, want %d", len(got), want.Len())
	}
	big := strings.Repeat("0123456789", 1<<20)
	for i := range 3 {
		go k.send(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n%s\r\n", len(big), big) + wire("GET big", fmt.Sprintf("ECHO %d", i)))
		reply := fmt.Sprintf("+OK\r\n$%d\r\n%s\r\n$1\r\n%d\r\n", len(big), big, i)
		if got, _ := k.take(len(reply), 10*time.Second); string(got) != reply {
			t.Fatalf("10 MB: got %d bytes, want %d", len(got), len(reply))
		}
	}
}

// TestRandomSequences compares random pipelines under a fixed seed.
func TestRandomSequences(t *testing.T) {
	plain, behind := realRedis(t), realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, behind)
	data := []string{"SET k %d", "GET k", "INCR n", "RPUSH l %d", "LRANGE l 0 -1", "LPOP l", "PING", "PING x", "ECHO %d", "GET", "NOSUCH", "BLPOP l 0.01",
		"EVAL return_%d 0", "APPEND k %d", "DEL l k", "STRLEN k", "INCR l", "XREAD BLOCK 10 STREAMS s $", "EVALSHA x 0", "EXEC", "DISCARD"}
	with := func(more ...string) []string { return append(slices.Clone(data), append(more, more...)...) }
	for _, set := range []struct {
		name  string
		words []string
	}{
		{"transactions and databases", with("MULTI", "EXEC", "SELECT %d", "RESET", "MULTI", "EXEC")},
		{"transactions and watches", with("MULTI", "EXEC", "WATCH k", "UNWATCH", "RESET", "DISCARD")},
		{"subscriptions", with("SUBSCRIBE c", "UNSUBSCRIBE", "UNSUBSCRIBE c", "PSUBSCRIBE p", "PUNSUBSCRIBE", "RESET")},
	} {
		t.Run(set.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			bad := 0
			for round := 0; round < 30 && bad < 3; round++ {
				flushed(t, plain, behind)
				var chunks []string
				for range 5 {
					var cmds []string
					for range 1 + r.IntN(8) {
						w := set.words[r.IntN(len(set.words))]
						if strings.Contains(w, "%d") {
							w = fmt.Sprintf(w, r.IntN(4))
						}
						cmds = append(cmds, w)
					}
					chunks = append(chunks, wire(cmds...))
				}
				if !compare(t, newTalk(t, plain), newTalk(t, front), chunks) {
					bad++
				}
			}
		})
	}
}
