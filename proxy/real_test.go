package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

// The tests of this file compare steadis with a real redis-server, byte for byte,
// or were written to break it in front of one.

// realRedis runs a redis-server on a free port until the test ends.
func realRedis(t testing.TB, args ...string) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = ln.Addr().String()
	ln.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(),
		"--loglevel", "warning", "--enable-debug-command", "yes"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatalf("redis-server is needed: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
		runtime.Gosched()
	}
}

// inFront serves a proxy in front of the redis-server at addr; the returned
// function moves it to another one.
func inFront(t testing.TB, o proxy.Options, addr string) (front string, server *proxy.Server, publish func(topology.Phase, string)) {
	t.Helper()
	o.Board, o.MasterName = topology.NewBoard(), "mymaster"
	generation, master := uint64(0), ""
	publish = func(p topology.Phase, addr string) {
		if addr != master {
			generation, master = generation+1, addr
		}
		o.Board.Publish(topology.View{Master: addr, Epoch: generation, Generation: generation, Phase: p, Since: time.Now(), Reason: "test"})
	}
	publish(topology.Serving, addr)
	server, err := proxy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Serve does not end")
		}
		if c := server.Status().Hold; !c.Balanced() || c.Waiting != 0 {
			t.Errorf("the hold's counters do not add up: %+v", c)
		}
	})
	return ln.Addr().String(), server, publish
}

// talk is a connection for raw bytes.
type talk struct {
	t   testing.TB
	nc  net.Conn
	odd bool // what is sent need not have replies
}

func newTalk(t testing.TB, addr string) *talk {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &talk{t: t, nc: nc}
}

// wire gives commands, as words, in RESP; a word in %q quotes may have spaces.
func wire(cmds ...string) string {
	var b strings.Builder
	for _, cmd := range cmds {
		words := strings.Fields(cmd)
		fmt.Fprintf(&b, "*%d\r\n", len(words))
		for _, w := range words {
			w = strings.ReplaceAll(w, "_", " ")
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
		}
	}
	return b.String()
}

func (k *talk) send(raw string) {
	k.t.Helper()
	if _, err := io.WriteString(k.nc, raw); err != nil {
		k.t.Logf("write: %v", err)
	}
}

// take reads n bytes, or less if no more come within d; closed says that the
// connection has ended.
func (k *talk) take(n int, d time.Duration) (got []byte, closed bool) {
	buf := make([]byte, 64<<10)
	for len(got) < n {
		k.nc.SetReadDeadline(time.Now().Add(d))
		m, err := k.nc.Read(buf[:min(len(buf), n-len(got))])
		got = append(got, buf[:m]...)
		if err != nil {
			return got, !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
	return got, false
}

// ask sends commands and reads until nothing has come for a while.
func (k *talk) ask(cmds ...string) string {
	k.t.Helper()
	k.send(wire(cmds...))
	got, closed := k.take(1<<30, 60*time.Millisecond)
	if closed {
		return string(got) + "<closed>"
	}
	return string(got)
}

// want asks and compares.
func (k *talk) want(cmd, want string) {
	k.t.Helper()
	if got := k.ask(cmd); !strings.HasPrefix(got, want) {
		k.t.Errorf("%s: got %q, want %q", cmd, got, want)
	}
}

const quiet = 100 * time.Millisecond

// replies counts the replies at the top level that got has whole.
func replies(got []byte) (n int) {
	open := []int{1}
	for len(got) > 0 {
		end := bytes.Index(got, []byte("\r\n"))
		if end < 0 {
			return n
		}
		size, _ := strconv.Atoi(string(got[1:end]))
		kind := got[0]
		got = got[end+2:]
		if kind == '$' && size >= 0 {
			if len(got) < size+2 {
				return n
			}
			got = got[size+2:]
		}
		if kind == '*' && size > 0 {
			open = append(open, size)
			continue
		}
		for open[len(open)-1]--; len(open) > 1 && open[len(open)-1] == 0; open[len(open)-1]-- {
			open = open[:len(open)-1]
		}
		if len(open) == 1 {
			n++
		}
	}
	return n
}

var header = regexp.MustCompile(`(?m)^\*\d`)

// settle reads the replies to a chunk: one for each command or more, and whatever
// else comes at once; all that comes in a while if the chunk is odd.
func (k *talk) settle(chunk string) (got []byte, closed bool) {
	n := len(header.FindAllString(chunk, -1))
	buf := make([]byte, 64<<10)
	for limit := time.Now().Add(3 * time.Second); ; {
		wait := 3 * time.Second
		if k.odd || replies(got) >= n || time.Now().After(limit) {
			wait = quiet / 5
		}
		if k.odd {
			wait = quiet
		}
		k.nc.SetReadDeadline(time.Now().Add(wait))
		m, err := k.nc.Read(buf)
		got = append(got, buf[:m]...)
		if err != nil {
			return got, !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

// compare sends each chunk to Redis directly and through steadis and compares
// what comes back and whether the connection is closed.
func compare(t *testing.T, direct, front *talk, chunks []string) bool {
	t.Helper()
	for i, chunk := range chunks {
		direct.send(chunk)
		front.send(chunk)
		want, wantClosed := direct.settle(chunk)
		got, gotClosed := front.settle(chunk)
		if !bytes.Equal(got, want) || gotClosed != wantClosed {
			t.Errorf("chunk %d %q:\n direct  %q closed=%v\n steadis %q closed=%v", i, clip(chunk), clip(string(want)), wantClosed, clip(string(got)), gotClosed)
			return false
		}
		if wantClosed {
			return true
		}
	}
	return true
}

func clip(s string) string {
	if len(s) > 600 {
		return s[:300] + "..." + s[len(s)-300:]
	}
	return s
}

// TestSameBytesAsRedis compares sequences of raw bytes.
func TestSameBytesAsRedis(t *testing.T) {
	plain, behind := realRedis(t), realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, behind)
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
		{"replica commands", []string{w("ROLE", "OBJECT HELP", "CONFIG GET maxmemory", "DBSIZE", "TYPE k")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, addr := range []string{plain, behind} {
				newTalk(t, addr).ask("FLUSHALL", "SCRIPT FLUSH")
			}
			a, b := newTalk(t, plain), newTalk(t, front)
			for _, odd := range []string{"inline", "empty frames", "one byte", "POST", "Host", "half frame and fault", "fault in multi", "quit", "subscribe and quit"} {
				a.odd = a.odd || tt.name == odd
				b.odd = a.odd
			}
			compare(t, a, b, tt.chunks)
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
				newTalk(t, plain).ask("FLUSHALL")
				newTalk(t, behind).ask("FLUSHALL")
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

// TestRefusalsHoldBehindUnsubscribe: what Redis would refuse in subscribed mode is
// forwarded for Redis to refuse; behind an UNSUBSCRIBE it does not.
func TestRefusalsHoldBehindUnsubscribe(t *testing.T) {
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, redis)
	k := newTalk(t, front)
	k.ask("SUBSCRIBE a", "UNSUBSCRIBE", "REPLICAOF 127.0.0.1 1")
	if got := newTalk(t, redis).ask("ROLE"); !strings.Contains(got, "master") {
		t.Errorf("a refused REPLICAOF ran: ROLE says %q", got)
	}
}

// TestNoStateLeaksThroughPinnedConnections: a connection that goes back to the
// pool has the database and the user that it was made for.
func TestNoStateLeaksThroughPinnedConnections(t *testing.T) {
	for _, tt := range []struct{ name, cmds string }{
		{"select behind unsubscribe", "SUBSCRIBE a|UNSUBSCRIBE|SELECT 3|SET leak 3"},
		{"select in exec that fails later", "MULTI|SELECT 3|SELECT x|SET leak 3|EXEC"},
		{"multi behind unsubscribe", "SUBSCRIBE a|UNSUBSCRIBE|MULTI"},
		{"user behind unsubscribe", "SUBSCRIBE a|UNSUBSCRIBE|AUTH other pw"},
		{"reply off behind unsubscribe", "SUBSCRIBE a|UNSUBSCRIBE|CLIENT REPLY OFF"},
		{"monitor behind unsubscribe", "SUBSCRIBE a|UNSUBSCRIBE|MONITOR"},
		{"hello 3 behind unsubscribe", "SUBSCRIBE a|UNSUBSCRIBE|HELLO 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			redis := realRedis(t)
			front, _, _ := inFront(t, proxy.Options{}, redis)
			newTalk(t, redis).ask("ACL SETUSER other on >pw ~* &* +@all")
			k, other := newTalk(t, front), newTalk(t, front)
			k.ask(strings.Split(tt.cmds, "|")...)
			k.ask("GET z") // leaves subscribed mode
			other.want("WATCH z", "+OK\r\n")
			other.want("GET leak", "$-1\r\n")
			other.want("ACL WHOAMI", "$7\r\ndefault\r\n")
			other.want("HGETALL leak2", "*0\r\n")
			other.want("UNWATCH", "+OK\r\n")
		})
	}
}

// TestFailedSubscribeKeepsEarlierSubscriptions: the ACL forbids one of two
// channels; the other one was subscribed before.
func TestFailedSubscribeKeepsEarlierSubscriptions(t *testing.T) {
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, redis)
	newTalk(t, redis).ask("ACL SETUSER u on >p ~* +@all resetchannels &a")
	k, other := newTalk(t, front), newTalk(t, front)
	k.want("AUTH u p", "+OK")
	k.want("SUBSCRIBE a", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n")
	k.want("SUBSCRIBE a b", "-NOPERM")
	k.want("PING", "*2\r\n$4\r\npong\r\n")
	other.want("AUTH u p", "+OK")
	other.send(wire("BLPOP q 1"))
	newTalk(t, redis).ask("PUBLISH a hello")
	if got, _ := k.take(1<<20, 500*time.Millisecond); !strings.Contains(string(got), "hello") {
		t.Errorf("the subscriber got %q, want the message", got)
	}
	if got, _ := other.take(5, 3*time.Second); string(got) != "*-1\r\n" {
		t.Errorf("another client's BLPOP got %q", got)
	}
}

// TestRestoringForbiddenSubscriptionsKeepsRepliesAligned: the new master's ACL
// forbids the channels; one error comes for all of them.
func TestRestoringForbiddenSubscriptionsKeepsRepliesAligned(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	newTalk(t, b).ask("ACL SETUSER default resetchannels &x")
	k := newTalk(t, front)
	k.ask("SUBSCRIBE a b c")
	publish(topology.Serving, b)
	k.ask("PING") // lets the move happen
	if got := k.ask("SUBSCRIBE x"); !strings.Contains(got, "$1\r\nx\r\n") {
		t.Errorf("SUBSCRIBE x after the move: %q", got)
	}
	if got := k.ask("PING again"); !strings.Contains(got, "again") {
		t.Errorf("PING again: %q", got)
	}
}

// TestSubscribeRefusedAfterTheHoldLeavesTheMode: the client was told LOADING; it is
// not subscribed, so SELECT is the session's business again.
func TestSubscribeRefusedAfterTheHoldLeavesTheMode(t *testing.T) {
	a := realRedis(t)
	front, server, publish := inFront(t, proxy.Options{Hold: 300 * time.Millisecond}, a)
	k := newTalk(t, front)
	k.want("SET k 0", "+OK")
	publish(topology.Holding, a)
	k.send(wire("SUBSCRIBE ch"))
	if got, _ := k.take(8, 5*time.Second); string(got) != "-LOADING" {
		t.Fatalf("SUBSCRIBE during the outage: %q", got)
	}
	k.take(1<<20, quiet)
	publish(topology.Serving, a)
	for deadline := time.Now().Add(5 * time.Second); server.State().Phase != "serving" && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	k.want("SELECT 3", "+OK")
	k.want("SET k three", "+OK")
	newTalk(t, a).ask("CLIENT KILL TYPE normal SKIPME yes", "CLIENT KILL TYPE pubsub")
	k.want("GET k", "$5\r\nthree")
	newTalk(t, a).ask("PUBLISH ch surprise")
	if got := k.ask("GET k"); strings.Contains(got, "surprise") {
		t.Errorf("a client that was told LOADING for its SUBSCRIBE got the message: %q", got)
	}
}

// TestScriptErrorTextsAreNotRetried: a script may answer any text as an error after
// it has written; running it again repeats the write (P4, semantics.md section 3).
func TestScriptErrorTextsAreNotRetried(t *testing.T) {
	for _, text := range []string{"LOADING_later", "READONLY_mine", "MASTERDOWN_x", "UNBLOCKED_force_unblock_x"} {
		t.Run(text, func(t *testing.T) {
			redis := realRedis(t)
			front, _, _ := inFront(t, proxy.Options{}, redis)
			k := newTalk(t, front)
			k.send(wire("EVAL redis.call('incr','n')_return_{err='" + text + "'} 0"))
			got, _ := k.take(1, 10*time.Second)
			more, _ := k.take(1<<20, quiet)
			if n := newTalk(t, redis).ask("GET n"); n != "$1\r\n1\r\n" {
				t.Errorf("the script ran more than once: n is %q; the client got %q", n, append(got, more...))
			}
		})
	}
}

// TestScriptKillWorks: SCRIPT KILL must not queue behind the script that it is to
// kill; the clients' numbers are such that they share a connection.
func TestScriptKillWorks(t *testing.T) {
	redis := realRedis(t, "--lua-time-limit", "50")
	front, _, _ := inFront(t, proxy.Options{Upstream: proxy.UpstreamOptions{Connections: 1}}, redis)
	stuck, killer := newTalk(t, front), newTalk(t, front)
	stuck.want("GET k", "$-1")
	killer.want("GET k", "$-1")
	stuck.send(wire("EVAL while_true_do_end 0"))
	t.Cleanup(func() { newTalk(t, redis).ask("SCRIPT KILL") })
	watch := newTalk(t, redis)
	for deadline := time.Now().Add(5 * time.Second); !strings.HasPrefix(watch.ask("GET k"), "-BUSY") && time.Now().Before(deadline); {
	}
	killer.send(wire("SCRIPT KILL"))
	if got, _ := killer.take(5, 2*time.Second); string(got) != "+OK\r\n" {
		t.Errorf("SCRIPT KILL: got %q within 2 s", got)
	}
}

// TestBigPipelineOfBigRepliesIsNotCut: a client that writes its whole pipeline and
// then reads as fast as it can is no slow client.
func TestBigPipelineOfBigRepliesIsNotCut(t *testing.T) {
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{Limits: proxy.Limits{Output: 4 << 20}}, redis)
	k := newTalk(t, front)
	k.want("SETRANGE k 99999 x", ":100000")
	const n = 1000
	k.send(strings.Repeat(wire("GET k"), n))
	total := n*len("$100000\r\n\r\n") + n*100000
	got := 0
	buf := make([]byte, 64<<10)
	for got < total {
		k.nc.SetReadDeadline(time.Now().Add(5 * time.Second))
		m, err := k.nc.Read(buf)
		got += m
		time.Sleep(time.Millisecond) // a client that parses 60 MB a second
		if err != nil {
			t.Fatalf("after %d of %d bytes: %v", got, total, err)
		}
	}
}

// TestIdleClientsKeepNoBigBuffers: after a big command nothing big stays behind.
func TestIdleClientsKeepNoBigBuffers(t *testing.T) {
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, redis)
	value := strings.Repeat("x", 16<<20)
	raw := fmt.Sprintf("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n", len(value), value)
	before := heapAfterGC()
	for range 8 {
		k := newTalk(t, front)
		k.send(raw)
		if got, _ := k.take(5, 10*time.Second); string(got) != "+OK\r\n" {
			t.Fatalf("SET: %q", got)
		}
		k.want("GET none", "$-1")
	}
	if grown := heapAfterGC() - before; grown > 48<<20 {
		t.Errorf("8 idle clients that once sent 16 MB hold %d MB", grown>>20)
	}
}

func heapAfterGC() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestHalfClosedClientGetsAllReplies: printf ... | nc reads slowly.
func TestHalfClosedSubscriberGetsItsConfirmation(t *testing.T) {
	plain, behind := realRedis(t), realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, behind)
	// Before it has found its master, a proxy drops what nobody waits for.
	newTalk(t, front).want("SET k 0", "+OK\r\n")
	newTalk(t, front).want("DEL k", ":1\r\n")
	for _, cmds := range []string{wire("SUBSCRIBE a"), wire("GET k", "SELECT 1", "SET k 1", "GET k"), wire("MULTI", "SET k 1", "EXEC"), wire("WATCH k", "GET k")} {
		var out [2]string
		for i, addr := range []string{plain, front} {
			k := newTalk(t, addr)
			k.send(cmds)
			k.nc.(*net.TCPConn).CloseWrite()
			got, _ := k.take(1<<20, time.Second)
			out[i] = string(got)
		}
		if out[0] != out[1] {
			t.Errorf("%q and a half-close: direct %q, steadis %q", cmds, out[0], out[1])
		}
	}
}
