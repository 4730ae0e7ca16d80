package proxy_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

// TestATransactionThatIsTooLongToKeep: of one whose master is lost, and that is not all kept, no
// part runs at the next master, whatever is queued there.
func TestATransactionThatIsTooLongToKeep(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	for _, tt := range []struct {
		name         string
		values, size int
		behind       string
	}{
		{"a large value, EXEC", 1, 40 << 20, ""},
		{"a large value, more", 1, 40 << 20, "SET more 1"},
		{"many values, EXEC", 20, 1 << 20, ""},
		{"many values, more", 20, 1 << 20, "SET more 1"},
	} {
		for _, end := range []string{"EXEC", "DISCARD"} {
			t.Run(tt.name+" "+end, func(t *testing.T) {
				flushed(t, a, b)
				publish(topology.Serving, a)
				k := newTalk(t, front)
				k.want("MULTI", "+OK\r\n")
				k.want("SET first 1", "+QUEUED\r\n")
				for i := range tt.values {
					k.send(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$2\r\n%02d\r\n$%d\r\n%s\r\n", i, tt.size, strings.Repeat("x", tt.size)))
					if got, _ := k.take(len("+QUEUED\r\n"), 10*time.Second); string(got) != "+QUEUED\r\n" {
						t.Fatalf("value %d: %q", i, got)
					}
				}
				publish(topology.Serving, b)
				if tt.behind != "" {
					k.want(tt.behind, "+QUEUED\r\n")
				}
				k.want(end, map[string]string{"EXEC": "-EXECABORT", "DISCARD": "+OK\r\n"}[end])
				newTalk(t, b).want("DBSIZE", ":0\r\n")
				k.want("SET after 1", "+OK\r\n")
				newTalk(t, b).want("DBSIZE", ":1\r\n")
			})
		}
	}
}

// someoneIsHeld returns once a command waits for a master.
func someoneIsHeld(t testing.TB, server *proxy.Server) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); server.Status().Hold.Waiting == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("no command is held")
		}
	}
}

// TestARedirectionAcrossMasters: CLIENT TRACKING REDIRECT that was on its way when the master
// changed leads to its target at the new one, where that has another number.
func TestARedirectionAcrossMasters(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	for range 30 {
		newTalk(t, b).ask("PING") // numbers differ
	}
	front, server, publish := inFront(t, proxy.Options{Hold: 20 * time.Second}, a)
	for _, tt := range []struct {
		name, earlier string
		steps         func(k *talk, track string)
	}{
		{"held, to a client with a private connection", "CLIENT TRACKING ON BCAST PREFIX none", func(k *talk, track string) {
			publish(topology.Holding, a)
			k.send(wire(track))
			someoneIsHeld(k.t, server)
			publish(topology.Serving, b)
			if got, _ := k.hear(1, answerFor, quiet); string(got) != "+OK\r\n" {
				k.t.Errorf("%s: %q", track, got)
			}
		}},
		{"held", "PING", func(k *talk, track string) {
			publish(topology.Holding, a)
			k.send(wire(track))
			someoneIsHeld(k.t, server)
			publish(topology.Serving, b)
			if got, _ := k.hear(1, answerFor, quiet); string(got) != "+OK\r\n" {
				k.t.Errorf("%s: %q", track, got)
			}
		}},
		{"queued", "PING", func(k *talk, track string) {
			k.want("MULTI", "+OK\r\n")
			k.want(track, "+QUEUED\r\n")
			publish(topology.Serving, b)
			k.want("EXEC", "*1\r\n+OK\r\n")
		}},
		{"queued, EXEC held", "PING", func(k *talk, track string) {
			k.want("MULTI", "+OK\r\n")
			k.want(track, "+QUEUED\r\n")
			publish(topology.Holding, a)
			k.send(wire("EXEC"))
			someoneIsHeld(k.t, server)
			publish(topology.Serving, b)
			if got, _ := k.hear(1, answerFor, quiet); string(got) != "*1\r\n+OK\r\n" {
				k.t.Errorf("EXEC: %q", got)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flushed(t, a, b)
			publish(topology.Serving, a)
			k, target := newTalk(t, front), newTalk(t, front)
			k.want("HELLO 3", "%")
			target.want("HELLO 3", "%")
			target.ask(tt.earlier)
			id := target.ask("CLIENT ID")
			tt.steps(k, "CLIENT TRACKING ON REDIRECT "+strings.Trim(id, ":\r\n"))
			k.want("GET k", "_\r\n")
			if got := k.ask("CLIENT GETREDIR"); got != id {
				t.Errorf("CLIENT GETREDIR: %q, want %q", got, id)
			}
			target.ask() // what it has been told so far
			newTalk(t, b).want("SET k 1", "+OK\r\n")
			if got, want := target.ask(), ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"; got != want {
				t.Errorf("the target got %q, want %q", got, want)
			}
		})
	}
}

// TestARedirectionWithoutAMaster: it is refused once the hold time is over, and when its target
// ends meanwhile it does not wait for ever.
func TestARedirectionWithoutAMaster(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{Hold: 300 * time.Millisecond}, a)
	k, late, target := newTalk(t, front), newTalk(t, front), newTalk(t, front)
	for _, x := range []*talk{k, late, target} {
		x.want("HELLO 3", "%")
	}
	k.want("WATCH w", "+OK\r\n") // has a private connection; the target has none
	track := "CLIENT TRACKING ON REDIRECT " + strings.Trim(target.ask("CLIENT ID"), ":\r\n")
	publish(topology.Holding, a)
	k.want(track, "-LOADING ")
	late.want(track, "-LOADING ")
	publish(topology.Serving, b)
	k.want(track, "+OK\r\n")
	late.want("CLIENT TRACKINGINFO", "%3\r\n$5\r\nflags\r\n~1\r\n$3\r\noff\r\n")
}

// TestCachingAcrossMasters: CLIENT CACHING YES was answered by one master, and the command that
// it is for by the next, which tracks its key.
func TestCachingAcrossMasters(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	const flush, changed = ">2\r\n$10\r\ninvalidate\r\n_\r\n", ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"
	for _, tt := range []struct {
		name          string
		before, after []string
		reply, told   string
	}{
		{"a command", []string{"CLIENT CACHING YES"}, []string{"GET k"}, flush + "_\r\n", changed},
		{"behind a command about clients", []string{"CLIENT CACHING YES", "CLIENT TRACKINGINFO"}, []string{"GET k"}, flush + "_\r\n", changed},
		{"a transaction", []string{"CLIENT CACHING YES"}, []string{"MULTI", "GET k", "EXEC"}, flush + "+OK\r\n+QUEUED\r\n*1\r\n_\r\n", changed},
		{"an open transaction", []string{"CLIENT CACHING YES", "MULTI", "GET k"}, []string{"EXEC"}, flush + "*1\r\n_\r\n", changed},
		{"a command before", []string{"CLIENT CACHING YES", "GET other"}, []string{"GET k"}, flush + "_\r\n", ""},
		{"a transaction before", []string{"CLIENT CACHING YES", "MULTI", "GET other", "EXEC"}, []string{"GET k"}, flush + "_\r\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flushed(t, a, b)
			publish(topology.Serving, a)
			k := newTalk(t, front)
			k.want("HELLO 3", "%")
			k.want("CLIENT TRACKING ON OPTIN", "+OK\r\n")
			for _, cmd := range tt.before {
				k.ask(cmd)
			}
			publish(topology.Serving, b)
			k.send(wire(tt.after...))
			got, _ := k.take(len(tt.reply), 10*time.Second)
			if string(got) != tt.reply {
				t.Errorf("%q: got %q, want %q", tt.after, got, tt.reply)
			}
			newTalk(t, b).want("SET k 1", "+OK\r\n")
			if got := k.ask(); got != tt.told {
				t.Errorf("when the key has changed it is told %q, want %q", got, tt.told)
			}
		})
	}
}

// TestABlockingCommandBehindAnother: its time begins when the one in front of it is over, also
// when it is asked again at another master.
func TestABlockingCommandBehindAnother(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	k := newTalk(t, front)
	k.send(wire("BLPOP none 3", "BLPOP q 3"))
	if got, _ := k.take(len("*-1\r\n"), 10*time.Second); string(got) != "*-1\r\n" {
		t.Fatalf("the first: %q", got)
	}
	publish(topology.Serving, b)
	if got, _ := k.take(1, 500*time.Millisecond); len(got) > 0 {
		t.Errorf("the second is answered before its time: %q", got)
	}
	newTalk(t, b).want("RPUSH q x", ":1\r\n")
	if got, _ := k.take(len("*2\r\n$1\r\nq\r\n$1\r\nx\r\n"), 10*time.Second); string(got) != "*2\r\n$1\r\nq\r\n$1\r\nx\r\n" {
		t.Errorf("the second: %q", got)
	}
}

// TestBlockingCommandsWithoutAMaster: each has its own time, one behind the other.
func TestBlockingCommandsWithoutAMaster(t *testing.T) {
	a := realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	k := newTalk(t, front)
	k.want("GET k", "$-1\r\n")
	publish(topology.Holding, a)
	began := time.Now()
	k.send(wire("BLPOP none 0.5", "BLPOP q 0.5", "BLPOP q 0.5"))
	if got, _ := k.take(len("*-1\r\n*-1\r\n*-1\r\n"), 10*time.Second); string(got) != "*-1\r\n*-1\r\n*-1\r\n" {
		t.Fatalf("got %q", got)
	}
	if took := time.Since(began); took < 1500*time.Millisecond {
		t.Errorf("three times half a second took %v", took)
	}
}

// TestATransactionOfAUserWhoComesBack: the next master does not know the user at first. What was
// watched is lost, and of an open MULTI nothing runs, in it or outside.
func TestATransactionOfAUserWhoComesBack(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	const refused = "-WRONGPASS"
	for _, tt := range []struct {
		name                   string
		before, without, after []string
		want                   string
	}{
		{"open MULTI", []string{"MULTI", "SET k 1"}, []string{"SET k 2"}, []string{"SET k 3", "EXEC", "GET k"}, "+QUEUED\r\n-EXECABORT Transaction discarded because of previous errors.\r\n$-1\r\n"},
		{"open MULTI, DISCARD", []string{"MULTI", "SET k 1"}, []string{"SET k 2"}, []string{"SET k 3", "DISCARD", "GET k"}, "+QUEUED\r\n+OK\r\n$-1\r\n"},
		{"open MULTI, EXEC refused", []string{"MULTI", "SET k 1"}, []string{"EXEC"}, []string{"SET k 3", "GET k"}, "+OK\r\n$1\r\n3\r\n"},
		{"WATCH", []string{"WATCH k"}, []string{"GET k"}, []string{"MULTI", "SET k 3", "EXEC", "GET k"}, "+OK\r\n+QUEUED\r\n*-1\r\n$-1\r\n"},
		{"WATCH, then another user", []string{"WATCH k"}, []string{"GET k"}, []string{"AUTH v p", "MULTI", "SET k 3", "EXEC", "GET k"}, "+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n$-1\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flushed(t, a, b)
			newTalk(t, a).want("ACL SETUSER u on >p ~* +@all", "+OK\r\n")
			newTalk(t, b).want("ACL SETUSER v on >p ~* +@all", "+OK\r\n")
			newTalk(t, b).ask("ACL DELUSER u")
			publish(topology.Serving, a)
			k := newTalk(t, front)
			k.want("AUTH u p", "+OK\r\n")
			for _, cmd := range tt.before {
				k.ask(cmd)
			}
			publish(topology.Serving, b)
			for _, cmd := range tt.without {
				k.want(cmd, refused)
			}
			if !strings.HasPrefix(tt.after[0], "AUTH") {
				newTalk(t, b).want("ACL SETUSER u on >p ~* +@all", "+OK\r\n")
			}
			k.send(wire(tt.after...))
			if got, _ := k.hear(len(tt.after), answerFor, quiet); string(got) != tt.want {
				t.Errorf("%q: got %q, want %q", tt.after, got, tt.want)
			}
		})
	}
}
