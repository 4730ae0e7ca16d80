package proxy_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

func hashes(passwords ...string) proxy.User {
	u := proxy.User{}
	for _, p := range passwords {
		u.Hashes = append(u.Hashes, sha256.Sum256([]byte(p)))
	}
	return u
}

// staticOptions are those of a proxy whose clients are users of its own, before a Redis whose
// default user has the password that upstreamArgs gives it.
func staticOptions(users proxy.Users) proxy.Options {
	return proxy.Options{Users: &users, Upstream: proxy.UpstreamOptions{Password: "upstreamsecret"}}
}

var upstreamArgs = []string{"--requirepass", "upstreamsecret"}

// TestStaticUsersAsRedis: where steadis judges who clients are, its bytes are those of a
// Redis that has the same users, whose rights are not restricted.
func TestStaticUsersAsRedis(t *testing.T) {
	rights := "~* &* +@all"
	w := wire
	large := "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20000\r\n" + strings.Repeat("v", 20000) + "\r\n"
	many := "*11\r\n$4\r\nMSET\r\n" + strings.Repeat("$1\r\na\r\n", 10)
	for _, world := range []struct {
		name  string
		users proxy.Users
		acl   []string
	}{
		{"password", proxy.Users{"default": hashes("one", "two"), "app": hashes("secret"), "guest": {NoPass: true}},
			[]string{"ACL SETUSER default >one >two", "ACL SETUSER app on >secret " + rights, "ACL SETUSER guest on nopass " + rights}},
		{"open", proxy.Users{"default": {NoPass: true}, "app": hashes("secret")}, []string{"ACL SETUSER app on >secret " + rights}},
		{"default off", proxy.Users{"app": hashes("secret")}, []string{"ACL SETUSER app on >secret " + rights, "ACL SETUSER default off resetpass"}},
		{"no users", proxy.Users{}, nil},
	} {
		redis := realRedis(t)
		if len(world.acl) > 0 {
			newTalk(t, redis).ask(world.acl...)
		}
		front, _, _ := inFront(t, staticOptions(world.users), realRedis(t, upstreamArgs...))
		for _, tt := range []struct {
			name   string
			chunks []string
		}{
			{"before AUTH", []string{w("GET k", "PING", "SELECT 1", "SUBSCRIBE a", "MULTI", "ACL WHOAMI", "EXEC", "BLPOP q 1", "MONITOR x"), w("UNSUBSCRIBE")}},
			{"arity first", []string{w("GET", "AUTH", "SELECT", "PING x y")}},
			{"AUTH", []string{w("AUTH x", "AUTH one", "ACL WHOAMI", "GET k"), w("AUTH default two", "ACL WHOAMI"), w("AUTH app secret", "ACL WHOAMI", "SET k 1")}},
			{"a wrong one leaves who it was", []string{w("AUTH app secret", "AUTH app wrong", "AUTH nobody secret", "AUTH default three", "ACL WHOAMI")}},
			{"nopass", []string{w("AUTH guest whatever", "ACL WHOAMI"), w("AUTH guest x y", "AUTH a b c d")}},
			{"RESET", []string{w("AUTH app secret", "SELECT 3", "RESET", "ACL WHOAMI", "GET k"), w("AUTH app secret", "GET k", "ACL WHOAMI")}},
			{"HELLO before AUTH", []string{w("HELLO x", "HELLO 4", "HELLO 3 AUTH app", "HELLO 3 AUTH app wrong", "HELLO 3 AUTH nobody secret", "HELLO 2 SETNAME a_b", "GET k")}},
			{"MULTI", []string{w("AUTH app secret", "MULTI", "ACL WHOAMI", "SET k 2", "EXEC", "GET k"), w("MULTI"), w("ACL WHOAMI"), w("GET k"), w("EXEC")}},
			{"QUIT", []string{w("QUIT", "GET k")}},
			{"subscribed", []string{w("AUTH app secret", "SUBSCRIBE a"), w("AUTH app wrong", "ACL WHOAMI"), w("UNSUBSCRIBE", "ACL WHOAMI")}},
			{"CLIENT KILL USER", []string{w("AUTH app secret", "CLIENT KILL USER nobody", "CLIENT KILL USER guest", "CLIENT KILL USER default SKIPME yes ID 99999")}},
			{"large before AUTH", []string{large}},
			{"large in the same write as AUTH", []string{w("AUTH app secret") + large + w("STRLEN k")}},
			{"large behind a wrong AUTH", []string{w("AUTH app wrong") + large + w("STRLEN k")}},
			{"large behind AUTH", []string{w("AUTH app secret"), large, w("STRLEN k")}},
			{"large behind RESET", []string{w("AUTH app secret"), w("RESET"), large}},
			{"many before AUTH", []string{many}},
			{"many behind AUTH", []string{w("AUTH app secret"), many}},
		} {
			t.Run(world.name+"/"+tt.name, func(t *testing.T) {
				compare(t, newTalk(t, redis), newTalk(t, front), tt.chunks)
			})
		}
	}
}

// TestStaticHello: HELLO's reply is the master's, and what it says of a user is steadis'.
func TestStaticHello(t *testing.T) {
	behind := realRedis(t, upstreamArgs...)
	users := proxy.Users{"app": hashes("secret")}
	front, _, publish := inFront(t, staticOptions(users), behind)
	k := newTalk(t, front)
	k.want("HELLO 3 AUTH app secret SETNAME me", "%7\r\n$6\r\nserver")
	k.want("ACL WHOAMI", "$3\r\napp\r\n")
	k.want("CLIENT GETNAME", "$2\r\nme\r\n")
	if got := newTalk(t, behind).ask("AUTH upstreamsecret", "CLIENT LIST"); strings.Contains(got, "user=app") {
		t.Errorf("the master knows of steadis' users:\n%s", got)
	}
	list := k.ask("CLIENT LIST")
	if !strings.Contains(list, " user=app ") || strings.Contains(list, "user=default") {
		t.Errorf("CLIENT LIST: %q", list)
	}
	// During a hold, too, and a new client can come in.
	publish(topology.Holding, behind)
	h := newTalk(t, front)
	h.want("HELLO 3 AUTH app wrong", "-WRONGPASS")
	h.want("HELLO 3 AUTH app secret", "%7\r\n$6\r\nserver")
	h.want("ACL WHOAMI", "$3\r\napp\r\n")
	h.send(wire("GET k"))
	publish(topology.Serving, behind)
	if got, _ := h.take(3, 10*time.Second); string(got) != "_\r\n" {
		t.Errorf("the held GET: %q", got)
	}
}

// TestStaticTellsRedisNothing: neither AUTH nor a transaction gives steadis' users or
// passwords away to the master.
func TestStaticTellsRedisNothing(t *testing.T) {
	behind := realRedis(t, upstreamArgs...)
	front, _, _ := inFront(t, staticOptions(proxy.Users{"app": hashes("secret")}), behind)
	k := newTalk(t, front)
	k.want("AUTH app secret", "+OK")
	for _, cmd := range []string{"AUTH app secret", "HELLO 3 AUTH app secret", "HELLO 2 SETNAME x AUTH app secret"} {
		k.want("MULTI", "+OK")
		k.want(cmd, "-ERR steadis: '")
		k.want("EXEC", "-EXECABORT")
	}
	k.ask("MULTI", "AUTH app secret", "EXEC")
	m := newTalk(t, behind)
	got := m.ask("AUTH upstreamsecret", "ACL LOG", "INFO errorstats")
	if strings.Contains(got, "app") || strings.Contains(got, "WRONGPASS") {
		t.Errorf("the master has heard of it:\n%s", got)
	}
}

// TestSetUsers: who is not a user any more is closed, as by ACL DELUSER; who has another
// password stays until he authenticates anew.
func TestSetUsers(t *testing.T) {
	front, server, _ := inFront(t, staticOptions(proxy.Users{"a": hashes("1"), "b": hashes("1")}), realRedis(t, upstreamArgs...))
	a, b, stranger := newTalk(t, front), newTalk(t, front), newTalk(t, front)
	a.want("AUTH a 1", "+OK")
	b.want("AUTH b 1", "+OK")
	stranger.want("GET k", "-NOAUTH")
	server.SetUsers(proxy.Users{"b": hashes("2")})
	if got := answers(a, "GET k"); !strings.HasSuffix(got, "<closed>") {
		t.Errorf("a client whose user is gone gets %q", got)
	}
	b.want("GET k", "$-1")
	b.want("AUTH b 1", "-WRONGPASS")
	b.want("AUTH b 2", "+OK")
	stranger.want("GET k", "-NOAUTH")
	stranger.want("AUTH b 2", "+OK")
}

// TestWrongPasswordsAreCounted, and passwords are not in the metrics.
func TestWrongPasswordsAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := staticOptions(proxy.Users{"app": hashes("secret")})
	o.Registry = registry
	front, _, _ := inFront(t, o, realRedis(t, upstreamArgs...))
	k := newTalk(t, front)
	k.ask("AUTH app wrong", "AUTH wrong", "HELLO 3 AUTH app wrong")
	if got := counted(t, registry, "steadis_auth_refused_total"); got != 3 {
		t.Errorf("counted %v, want 3", got)
	}
}

// counted reads a counter.
func counted(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// TestStrangerThatDoesNotRead: who has not authenticated cannot fill memory with errors.
func TestStrangerThatDoesNotRead(t *testing.T) {
	front, server, _ := inFront(t, staticOptions(proxy.Users{"app": hashes("secret")}), realRedis(t, upstreamArgs...))
	nc, err := net.Dial("tcp", front)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.(*net.TCPConn).SetReadBuffer(4 << 10)
	nc.SetWriteDeadline(time.Now().Add(3 * time.Second))
	chunk := strings.Repeat("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", 2000)
	for sent := 0; sent < 64<<20; sent += len(chunk) {
		if _, err = io.WriteString(nc, chunk); err != nil {
			break // the kernel's buffers are full, as steadis reads no more
		}
	}
	if err == nil {
		t.Fatal("64 MB of commands were taken from a client that has not authenticated and does not read")
	}
	nc.Close()
	awaitClients(t, server, 0)
}

// TestPassthroughAccess: a deleted user and a changed password take effect for clients behind
// steadis as they do for clients of Redis, whether they are idle or not, and whether it is
// done beside steadis or through it.
func TestPassthroughAccess(t *testing.T) {
	for _, tt := range []struct {
		name, cmd string
		closed    bool
	}{
		{"deleted", "ACL DELUSER u", true},
		{"another password", "ACL SETUSER u resetpass >new", false},
		{"off", "ACL SETUSER u off", false},
		{"no rights", "ACL SETUSER u -get", false},
	} {
		for _, through := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/through=%v", tt.name, through), func(t *testing.T) {
				plain, behind := realRedis(t), realRedis(t)
				front, server, _ := inFront(t, proxy.Options{}, behind)
				for _, addr := range []string{plain, behind} {
					newTalk(t, addr).ask("ACL SETUSER u on >old ~* &* +@all", "ACL SETUSER other on >old ~* &* +@all")
				}
				pair := func(cmds ...string) (direct, behind *talk) {
					direct, behind = newTalk(t, plain), newTalk(t, front)
					for _, k := range []*talk{direct, behind} {
						for _, cmd := range cmds {
							k.want(cmd, "+OK")
						}
					}
					return direct, behind
				}
				d, s := pair("AUTH u old", "SET k 1")
				idleD, idleS := pair("AUTH u old")
				otherD, otherS := pair("AUTH other old", "SET o 1")
				newTalk(t, plain).ask(tt.cmd)
				if through {
					newTalk(t, front).ask(tt.cmd)
				} else {
					newTalk(t, behind).ask(tt.cmd)
				}
				if tt.closed {
					awaitClients(t, server, 3) // of u none: otherS, and the two that have said the command or its kin
				}
				for name, k := range map[string][2]*talk{"busy": {d, s}, "idle": {idleD, idleS}, "other": {otherD, otherS}} {
					want, got := answers(k[0], "GET k", "PING"), answers(k[1], "GET k", "PING")
					if got != want {
						t.Errorf("%s: %q, Redis: %q", name, got, want)
					}
				}
				for _, cmd := range []string{"AUTH u old", "AUTH u new", "HELLO 2 AUTH u old"} {
					want, got := answers(newTalk(t, plain), cmd, "PING"), answers(newTalk(t, front), cmd, "PING")
					if strings.HasPrefix(cmd, "HELLO") {
						want, got = want[:min(12, len(want))], got[:min(12, len(got))] // ids differ
					}
					if got != want {
						t.Errorf("%s afterwards: %q, Redis: %q", cmd, got, want)
					}
				}
			})
		}
	}
}

// answers sends commands and returns their replies, and whether the connection has ended.
func answers(k *talk, cmds ...string) string {
	chunk := wire(cmds...)
	k.send(chunk)
	got, closed := k.settle(chunk)
	if closed {
		return string(got) + "<closed>"
	}
	return string(got)
}

// awaitClients waits until at most n clients are connected.
func awaitClients(t *testing.T, server *proxy.Server, n int) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); server.Status().Clients > n; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d clients are connected, want %d", server.Status().Clients, n)
		}
	}
}

// TestPassthroughPreAuth: before a master that demands authentication, a client may send no more
// than Redis takes from it; and what it sends behind AUTH without waiting is taken.
func TestPassthroughPreAuth(t *testing.T) {
	plain, behind := realRedis(t, upstreamArgs...), realRedis(t, upstreamArgs...)
	front, _, _ := inFront(t, proxy.Options{Upstream: proxy.UpstreamOptions{Password: "upstreamsecret"}}, behind)
	newTalk(t, front).want("GET k", "-NOAUTH") // steadis has learnt it by now
	large := "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20000\r\n" + strings.Repeat("v", 20000) + "\r\n"
	for name, chunks := range map[string][]string{
		"large":                  {large},
		"large behind AUTH":      {wire("AUTH upstreamsecret"), large, wire("STRLEN k")},
		"large in the same":      {wire("AUTH upstreamsecret") + large + wire("STRLEN k")},
		"large behind a refusal": {wire("GET k"), large},
	} {
		t.Run(name, func(t *testing.T) { compare(t, newTalk(t, plain), newTalk(t, front), chunks) })
	}
}
