package proxy_test

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"steadis/proxy"
)

// lateEnd is a connection whose end the peer sees only after lateFor, as over a network on
// which one connection's packets may be slower than another's.
type lateEnd struct{ net.Conn }

const lateFor = 5 * time.Second

func (c lateEnd) Close() error {
	_ = c.SetDeadline(time.Now()) // for us it has ended
	time.AfterFunc(lateFor, func() { _ = c.Conn.Close() })
	return nil
}

// TestAKilledClientIsForgottenBeforeTheReply: what follows CLIENT KILL finds nothing of the
// killed client in Redis, as little as without steadis.
func TestAKilledClientIsForgottenBeforeTheReply(t *testing.T) {
	for _, tt := range []struct{ name, state, look, shows, then, want string }{
		{"blocked", "BLPOP q 0", "INFO clients", "blocked_clients:1\r\n", "RPUSH q x|LLEN q", ":1\r\n"},
		{"subscribed", "CLIENT TRACKING ON|SUBSCRIBE ch", "PUBSUB NUMSUB ch", ":1\r\n", // tracking: on a connection of its own
			"PUBSUB NUMSUB ch", "*2\r\n$2\r\nch\r\n:0\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			redis := realRedis(t)
			late := func(ctx context.Context, network, addr string) (net.Conn, error) {
				var d net.Dialer
				nc, err := d.DialContext(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				return lateEnd{nc}, nil
			}
			front, _, _ := inFront(t, proxy.Options{Dial: late}, redis)
			victim, killer, direct := newTalk(t, front), newTalk(t, front), newTalk(t, redis)
			killer.want("SET k 1", "+OK\r\n")
			id := strings.Trim(victim.ask("CLIENT ID"), ":\r\n")
			if _, err := strconv.Atoi(id); err != nil {
				t.Fatalf("CLIENT ID: %q", id)
			}
			victim.want("HELLO 3", "%")
			victim.send(wire(strings.Split(tt.state, "|")...))
			for !strings.Contains(direct.ask(tt.look), tt.shows) {
				time.Sleep(time.Millisecond)
			}
			killer.want("CLIENT KILL ID "+id, ":1\r\n")
			then := strings.Split(tt.then, "|")
			for _, command := range then[:len(then)-1] {
				killer.ask(command)
			}
			killer.want(then[len(then)-1], tt.want)
		})
	}
}

// TestAKilledClientSeesAnEnd: it gets what it was answered before, and then an end, no reset that
// would throw that away.
func TestAKilledClientSeesAnEnd(t *testing.T) {
	front, _, _ := inFront(t, proxy.Options{}, realRedis(t))
	victim, err := net.Dial("tcp", front)
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	killer := newTalk(t, front)
	if _, err := victim.Write([]byte("SET k 1\r\nCLIENT SETNAME victim\r\n")); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(killer.ask("CLIENT LIST"), "name=victim") {
		time.Sleep(time.Millisecond)
	}
	killer.want("CLIENT KILL ADDR "+victim.LocalAddr().String(), ":1\r\n")
	if got, err := io.ReadAll(victim); err != nil || string(got) != "+OK\r\n+OK\r\n" {
		t.Errorf("the killed client read %q, %v", got, err)
	}
}
