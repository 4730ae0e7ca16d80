package proxy_test

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

const quiet = 100 * time.Millisecond

var header = regexp.MustCompile(`(?m)^\*\d`)

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
	front, _, publish := inFront(t, proxy.Options{Hold: 300 * time.Millisecond}, a)
	k := newTalk(t, front)
	k.want("SET k 0", "+OK")
	publish(topology.Holding, a)
	k.send(wire("SUBSCRIBE ch"))
	if got, _ := k.take(8, 5*time.Second); string(got) != "-LOADING" {
		t.Fatalf("SUBSCRIBE during the outage: %q", got)
	}
	k.take(1<<20, quiet)
	publish(topology.Serving, a)
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
	// A PING meanwhile says what Redis says, and stands in the way of nothing.
	for deadline := time.Now().Add(5 * time.Second); ; {
		killer.send(wire("PING"))
		got, _ := killer.take(5, 2*time.Second)
		killer.take(1<<20, 10*time.Millisecond)
		if string(got) == "-BUSY" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("PING while a script runs on: %q", got)
		}
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

// TestPingsShowInTheMastersFigures: steadis answers PING itself, faster than the master
// does, and the master's own figures (SLOWLOG, commandstats) know of every one.
func TestPingsShowInTheMastersFigures(t *testing.T) {
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, redis)
	k := newTalk(t, front)
	k.want("CONFIG RESETSTAT", "+OK\r\n")
	const pings = 12
	k.ask(slices.Repeat([]string{"PING"}, pings)...)
	k.ask("GET behind-them")
	stats := k.ask("INFO commandstats")
	_, after, _ := strings.Cut(stats, "cmdstat_ping:calls=")
	calls, _, _ := strings.Cut(after, ",")
	if n, err := strconv.Atoi(calls); err != nil || n < pings { // the heartbeat's are among them
		t.Errorf("the master has seen %q PINGs, want at least %d: %s", calls, pings, stats)
	}
}

// TestWaitOfAUserWithoutChannels: the user may not PUBLISH, as none may that was made with Redis'
// default of no channels; WAIT vouches for nothing all the same that no replica has.
func TestWaitOfAUserWithoutChannels(t *testing.T) {
	redis := realRedis(t)
	host, port, _ := net.SplitHostPort(redis)
	replica := realRedis(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	front, _, _ := inFront(t, proxy.Options{}, redis)
	direct := newTalk(t, redis)
	direct.ask("CONFIG SET repl-diskless-sync-delay 0", "ACL SETUSER u on >p ~* +@all resetchannels")
	direct.send(wire("SET k 1", "WAIT 1 20000"))
	if got, _ := direct.take(len("+OK\r\n:1\r\n"), 30*time.Second); string(got) != "+OK\r\n:1\r\n" {
		t.Fatalf("the replica does not follow: %q", got)
	}
	k := newTalk(t, front)
	k.want("AUTH u p", "+OK")
	k.want("SET k 2", "+OK")
	k.want("WAIT 1 20000", ":1")
	time.Sleep(1500 * time.Millisecond) // a replica tells once a second that it has what it was asked with
	newTalk(t, replica).send(wire("DEBUG SLEEP 2"))
	time.Sleep(quiet)
	k.want("SET k 3", "+OK")
	k.want("WAIT 1 300", ":0")
}
