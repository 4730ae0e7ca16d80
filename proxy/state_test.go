package proxy_test

import (
	"bufio"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

// TestARefusedSubscribeTakesNoLaterOneBack: of two in one pipeline the first is refused by the
// ACL, the second, for one of the same channels, is not.
func TestARefusedSubscribeTakesNoLaterOneBack(t *testing.T) {
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, redis)
	direct := newTalk(t, redis)
	direct.ask("ACL SETUSER u on >p ~* +@all resetchannels &a")
	k, other := newTalk(t, front), newTalk(t, front)
	k.want("AUTH u p", "+OK")
	if got := k.ask("SUBSCRIBE a b", "SUBSCRIBE a", "PING"); !strings.HasSuffix(got, ":1\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n") {
		t.Errorf("SUBSCRIBE a b, SUBSCRIBE a, PING: %q", got)
	}
	k.ask("GET k") // would give the connection to who comes next, if the mode were over
	other.want("AUTH u p", "+OK")
	other.send(wire("BLPOP q 1"))
	direct.ask("PUBLISH a hello")
	if got, _ := k.take(1<<20, 500*time.Millisecond); !strings.Contains(string(got), "hello") {
		t.Errorf("the subscriber got %q, want the message", got)
	}
	if got, _ := other.take(5, 3*time.Second); string(got) != "*-1\r\n" {
		t.Errorf("another client's BLPOP got %q", got)
	}
	k.want("UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n")
}

// TestARefusedSubscribeInFrontOfUnsubscribe: what is unsubscribed by no name is what is subscribed.
func TestARefusedSubscribeInFrontOfUnsubscribe(t *testing.T) {
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, redis)
	newTalk(t, redis).ask("ACL SETUSER u on >p ~* +@all resetchannels &a")
	var got [2]string
	for i, addr := range []string{redis, front} {
		k := newTalk(t, addr)
		k.want("AUTH u p", "+OK")
		got[i] = k.ask("SUBSCRIBE a", "SUBSCRIBE b", "UNSUBSCRIBE", "GET k")
	}
	if got[0] != got[1] {
		t.Errorf("direct %q, steadis %q", got[0], got[1])
	}
}

// TestUnblockInsideMulti: CLIENT UNBLOCK in EXEC is about steadis' clients, and nobody else's
// connection in Redis that happens to have the same number.
func TestUnblockInsideMulti(t *testing.T) {
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, redis)
	direct := newTalk(t, redis)
	blocked, k := newTalk(t, front), newTalk(t, front)
	id := strings.Trim(blocked.ask("CLIENT ID"), ":\r\n")
	bystander := newTalk(t, redis)
	for ; strings.Trim(bystander.ask("CLIENT ID"), ":\r\n") < id; bystander = newTalk(t, redis) {
	}
	blocked.send(wire("BLPOP q 0"))
	for !strings.Contains(direct.ask("INFO clients"), "blocked_clients:1\r\n") {
		time.Sleep(time.Millisecond)
	}
	if got, want := k.ask("MULTI", "CLIENT UNBLOCK "+id+" ERROR", "CLIENT UNBLOCK "+id, "CLIENT UNBLOCK x", "GET k", "EXEC"),
		"+OK\r\n"+strings.Repeat("+QUEUED\r\n", 4)+"*4\r\n:1\r\n:0\r\n-ERR value is not an integer or out of range\r\n$-1\r\n"; got != want {
		t.Errorf("EXEC: got %q, want %q", got, want)
	}
	if got := blocked.ask("GET k"); got != "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n$-1\r\n" {
		t.Errorf("the blocked client got %q", got)
	}
	// EXEC has led to a database for which there is no shared connection yet.
	blocked.send(wire("BLPOP q 0"))
	for !strings.Contains(direct.ask("INFO clients"), "blocked_clients:1\r\n") {
		time.Sleep(time.Millisecond)
	}
	if got, want := k.ask("MULTI", "SELECT 3", "CLIENT UNBLOCK "+id, "EXEC"), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:1\r\n"; got != want {
		t.Errorf("EXEC with SELECT: %q, want %q", got, want)
	}
	if got := blocked.ask(); got != "*-1\r\n" {
		t.Errorf("the blocked client got %q", got)
	}
	k.want("SELECT 0", "+OK")
	blocked.want("WATCH z", "+OK") // keeps its connection
	// EXEC has subscribed the connection that it ran on, which takes no CLIENT UNBLOCK any more.
	if got, want := k.ask("MULTI", "CLIENT UNBLOCK "+id, "SUBSCRIBE ch", "EXEC"),
		"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:0\r\n*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n"; got != want {
		t.Errorf("EXEC with SUBSCRIBE: %q, want %q", got, want)
	}
}

// TestReplyOffThatIsRefused: who has to authenticate first is told so, and hears on.
func TestReplyOffThatIsRefused(t *testing.T) {
	redis := realRedis(t, "--requirepass", "pw")
	front, _, _ := inFront(t, proxy.Options{Upstream: proxy.UpstreamOptions{Password: "pw"}}, redis)
	newTalk(t, front).want("AUTH pw", "+OK\r\n")
	var got [2]string
	for i, addr := range []string{redis, front} {
		got[i] = newTalk(t, addr).ask("CLIENT REPLY OFF", "GET k", "MULTI", "AUTH pw", "CLIENT REPLY SKIP", "GET k", "GET k")
	}
	if got[0] != got[1] {
		t.Errorf("direct %q, steadis %q", got[0], got[1])
	}
}

// TestExecTellsTheClientsOwnNumbers: HELLO's id and a redirection's, also beside a SUBSCRIBE.
func TestExecTellsTheClientsOwnNumbers(t *testing.T) {
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, redis)
	newTalk(t, redis) // numbers differ
	k, target := newTalk(t, front), newTalk(t, front)
	id := target.ask("CLIENT ID")
	k.want("CLIENT TRACKING ON REDIRECT "+strings.Trim(id, ":\r\n"), "+OK")
	if got := k.ask("MULTI", "CLIENT TRACKINGINFO", "EXEC"); !strings.Contains(got, "redirect\r\n"+id) {
		t.Errorf("CLIENT TRACKINGINFO in EXEC: got %q, want REDIRECT %q", got, id)
	}
	k.want("CLIENT TRACKING OFF", "+OK")
	id = k.ask("CLIENT ID")
	got := k.ask("MULTI", "HELLO 3", "SUBSCRIBE a b", "INFO clients", "EXEC")
	if !strings.Contains(got, "$2\r\nid\r\n"+id) {
		t.Errorf("HELLO in EXEC: got %q, want id %q", got, id)
	}
	if !strings.Contains(got, "connected_clients:2\r\n") {
		t.Errorf("INFO in EXEC: %q, want steadis' own count of clients", got)
	}
}

// TestTrackingOnANewMasterIsAsItWasLast: it was changed, and changed back.
func TestTrackingOnANewMasterIsAsItWasLast(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	k := newTalk(t, front)
	k.want("HELLO 3", "%")
	for _, mode := range []string{"NOLOOP", "", "NOLOOP"} {
		k.want("CLIENT TRACKING ON "+mode, "+OK")
	}
	want := k.ask("CLIENT TRACKINGINFO")
	publish(topology.Serving, b)
	k.ask("GET k")
	if got := k.ask("CLIENT TRACKINGINFO"); got != want {
		t.Errorf("on the new master: %q, want %q", got, want)
	}
}

// TestBlockedAtAMasterThatBecomesAReplica: nobody has said so yet, and there are private
// connections to it that lie idle. What it refuses waits for the next master.
func TestBlockedAtAMasterThatBecomesAReplica(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	blocked, direct := newTalk(t, front), newTalk(t, a)
	blocked.send(wire("BLPOP q 0"))
	for !strings.Contains(direct.ask("INFO clients"), "blocked_clients:1\r\n") {
		time.Sleep(time.Millisecond)
	}
	direct.want("REPLICAOF "+strings.Replace(b, ":", " ", 1), "+OK\r\n")
	if got, _ := blocked.take(1<<20, 500*time.Millisecond); len(got) > 0 {
		t.Errorf("the blocked client got %q", got)
	}
	publish(topology.Serving, b)
	newTalk(t, front).want("RPUSH q x", ":1\r\n")
	if got, _ := blocked.take(1<<20, 500*time.Millisecond); string(got) != "*2\r\n$1\r\nq\r\n$1\r\nx\r\n" {
		t.Errorf("behind the failover the blocked client got %q", got)
	}
}

// TestMessagesBesideALargeReply: a client of RESP3 that shares connections for its subscriptions
// gets messages while it reads a value that comes in parts, but not in the midst of it.
func TestMessagesBesideALargeReply(t *testing.T) {
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{Upstream: proxy.UpstreamOptions{Subscribers: -1}}, redis)
	k, direct := newTalk(t, front), newTalk(t, redis)
	const size = 24 << 20
	direct.want("SETRANGE b 25165823 x", ":25165824\r\n")
	k.want("HELLO 3", "%")
	k.want("SUBSCRIBE ch", ">3\r\n$9\r\nsubscribe\r\n")
	const message = ">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$5\r\nhello\r\n"
	k.send(wire("GET b"))
	const messages = 50
	go func() {
		for range messages {
			io.WriteString(direct.nc, wire("PUBLISH ch hello"))
			time.Sleep(time.Millisecond)
		}
	}()
	in, values := bufio.NewReader(k.nc), 0
	for got := 0; got < messages || values == 0; {
		k.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
		head, err := in.Peek(1)
		if err != nil {
			t.Fatalf("behind %d messages and %d values: %v", got, values, err)
		}
		want := message
		if head[0] == '$' {
			want, values = "$25165824\r\n"+strings.Repeat("\x00", size-1)+"x\r\n", values+1
			time.Sleep(20 * time.Millisecond) // it does not read at once
		} else {
			got++
		}
		frame := make([]byte, len(want))
		if _, err := io.ReadFull(in, frame); err != nil || string(frame) != want {
			t.Fatalf("behind %d messages and %d values: not as it was sent, message at %d, %v", got, values, strings.Index(string(frame), "message"), err)
		}
	}
}

// TestPingBehindWhatIsPushed: what a command has pushed to its own client comes in front of the
// reply to a PING behind it, as from Redis.
func TestPingBehindWhatIsPushed(t *testing.T) {
	redis := realRedis(t)
	front, _, _ := inFront(t, proxy.Options{}, redis)
	var got [2]string
	for i, addr := range []string{redis, front} {
		k := newTalk(t, addr)
		k.want("HELLO 3", "%")
		k.want("CLIENT TRACKING ON", "+OK\r\n")
		k.ask("GET k")
		got[i] = k.ask("SET k 1", "PING", "PING x", "GET k", "MULTI", "SET k 2", "PING", "EXEC", "PING")
	}
	if got[0] != got[1] {
		t.Errorf("direct %q, steadis %q", got[0], got[1])
	}
}

// TestScansInTransactions: a cursor that EXEC has given is as any other one, as redis-py's
// pipelines get it, and one that another master has given begins anew.
func TestScansInTransactions(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	const members = 1000
	fill := "SADD s"
	for i := range members {
		fill += " " + strconv.Itoa(i)
	}
	for _, addr := range []string{a, b} {
		newTalk(t, addr).want(fill, ":1000")
	}
	k := newTalk(t, front)
	ways := map[string]func(scan string) string{
		"plain":        func(scan string) string { return k.ask(scan) },
		"in one write": func(scan string) string { return k.ask("MULTI", scan, "EXEC") },
		"one by one": func(scan string) string {
			k.want("MULTI", "+OK")
			k.want(scan, "+QUEUED")
			return k.ask("EXEC")
		},
	}
	page := regexp.MustCompile(`(?s)\*2\r\n\$\d+\r\n(\d+)\r\n\*\d+\r\n(.*)`)
	member := regexp.MustCompile(`\$\d+\r\n(\d+)\r\n`)
	turn := func(way, cursor string, seen map[string]bool) string {
		got := page.FindStringSubmatch(ways[way]("SSCAN s " + cursor + " COUNT 300"))
		if got == nil {
			t.Fatalf("%s: no page behind cursor %s", way, cursor)
		}
		for _, m := range member.FindAllStringSubmatch(got[2], -1) {
			seen[m[1]] = true
		}
		return got[1]
	}
	rest := func(way, cursor string) map[string]bool {
		seen := map[string]bool{}
		for cursor = turn(way, cursor, seen); cursor != "0"; {
			cursor = turn(way, cursor, seen)
		}
		return seen
	}
	for first := range ways {
		for second := range ways {
			publish(topology.Serving, a)
			seen := map[string]bool{}
			cursor := turn(first, "0", seen)
			if n := len(rest(second, cursor)); n+len(seen) < members || n == members {
				t.Errorf("%s, then %s: %d and %d of %d members of the same master", first, second, len(seen), n, members)
			}
			publish(topology.Serving, b)
			if n := len(rest(second, cursor)); n != members {
				t.Errorf("%s, then %s at the next master: %d of %d members", first, second, n, members)
			}
		}
	}
	publish(topology.Serving, a)
	cursor := turn("plain", "0", map[string]bool{})
	ways["across"] = func(scan string) string {
		k.want("MULTI", "+OK")
		k.want(scan, "+QUEUED")
		publish(topology.Serving, b)
		return k.ask("EXEC")
	}
	seen := map[string]bool{}
	if cursor = turn("across", cursor, seen); cursor != "0" {
		for m := range rest("plain", cursor) {
			seen[m] = true
		}
	}
	if len(seen) != members {
		t.Errorf("queued in a MULTI that went on at the next master: %d of %d members", len(seen), members)
	}
}
