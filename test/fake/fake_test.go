package fake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer speaks to a server by raw text.
type peer struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, n *Network, addr string) *peer {
	t.Helper()
	c, err := n.Dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return &peer{t, c, bufio.NewReader(c)}
}

// ask sends one command and returns its raw reply.
func (p *peer) ask(args ...string) string {
	p.t.Helper()
	if _, err := io.WriteString(p, string(bulks(args...))); err != nil {
		p.t.Fatal(err)
	}
	return p.reply()
}

// reply reads one reply of either protocol.
func (p *peer) reply() string {
	line, err := p.r.ReadString('\n')
	if err != nil {
		return "closed: " + err.Error()
	}
	var n int
	fmt.Sscanf(line[1:], "%d", &n)
	switch line[0] {
	case '$':
		if n >= 0 {
			body := make([]byte, n+2)
			if _, err := io.ReadFull(p.r, body); err != nil {
				return "closed: " + err.Error()
			}
			line += string(body)
		}
	case '%':
		n *= 2
		fallthrough
	case '*':
		for range n {
			line += p.reply()
		}
	}
	return line
}

func TestConnKeepsDeadlinesAndBuffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		defer a.Close()
		began := time.Now()
		a.SetReadDeadline(began.Add(3 * time.Second))
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 3*time.Second {
			t.Error(err, time.Since(began))
		}
		var ne net.Error
		if _, err := a.Read(make([]byte, 1)); !errors.As(err, &ne) || !ne.Timeout() {
			t.Error(err)
		}
		a.SetReadDeadline(time.Time{})
		go func() { time.Sleep(time.Second); a.SetReadDeadline(time.Now()) }()
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a deadline that is moved while a Read waits:", err)
		}
		a.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := a.Write(make([]byte, bufferSize+1))
		if n != bufferSize || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(n, err)
		}
		a.Close()
		if got, err := io.ReadAll(b); len(got) != bufferSize || err != nil {
			t.Error("what was written before Close is read:", len(got), err)
		}
		if _, err := b.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Error(err)
		}
		b.Close()
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		if _, err := n.Dial(t.Context(), "tcp", "x:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error(err)
		}
		l := n.MustListen("x:1")
		if _, err := n.Listen("x:1"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Error(err)
		}
		n.Cut("x:1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := n.Dial(ctx, "tcp", "x:1"); err == nil || time.Since(began) != time.Second {
			t.Error(err)
		}
		n.Mend("x:1")
		c, err := n.Dial(t.Context(), "tcp", "x:1")
		if err != nil || n.Dials("x:1") != 3 {
			t.Error(err, n.Dials("x:1"))
		}
		l.Close() // nobody accepted
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Error(err)
		}
		c.Close()
		n.MustListen("x:1").Close()
	})
}

func TestRedisFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		a, b := StartRedis(n.MustListen("a:1")), StartRedis(n.MustListen("b:1"))
		defer a.Close()
		defer b.Close()
		a.Replicas(b)
		pa, pb := dial(t, n, "a:1"), dial(t, n, "b:1")
		defer pa.Close()
		defer pb.Close()
		is := func(got, want string) {
			t.Helper()
			if !strings.HasPrefix(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		is(pa.ask("RPUSH", "l", "1"), ":1")
		is(pb.ask("LRANGE", "l", "0", "-1"), "*1\r\n$1\r\n1")
		is(pb.ask("RPUSH", "l", "2"), "-READONLY")
		is(pb.ask("ROLE"), "*5\r\n$5\r\nslave\r\n$1\r\na\r\n:1\r\n")
		a.Loading(true)
		is(pa.ask("GET", "x"), "-LOADING")
		a.Loading(false)
		a.HoldReplies()
		io.WriteString(pa, string(bulks("SET", "x", "y")))
		synctest.Wait()
		if a.Value("x") != "y" {
			t.Error("a held reply is of an executed command")
		}
		a.ReleaseReplies()
		is(pa.reply(), "+OK")
		a.Freeze()
		io.WriteString(pa, string(bulks("SET", "x", "z")))
		synctest.Wait()
		if a.Value("x") != "y" {
			t.Error("executed while frozen")
		}
		a.Thaw()
		is(pa.reply(), "+OK")
		is(pa.ask("MULTI"), "+OK")
		is(pa.ask("INCR", "n"), "+QUEUED")
		b.BecomeMaster()
		a.BecomeReplica("b:1")
		is(pa.ask("EXEC"), "-EXECABORT Transaction discarded because of: READONLY")
		is(pb.ask("SET", "new", "1"), "+OK")
		b.On(func(c Call) string {
			if c.Name() == "INCR" {
				return ExecuteThenClose
			}
			return ""
		})
		is(pb.ask("INCR", "n"), "closed")
		if b.Value("n") != "1" || a.Value("n") != "" {
			t.Error("executed, then closed")
		}
		if got := fmt.Sprint(len(b.Traffic()), len(a.Calls("EXEC"))); got != "4 1" {
			t.Error("recorded:", got)
		}
	})
}

func TestRedisBlockedClientThatIsGonePopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		a := StartRedis(n.MustListen("a:1"))
		defer a.Close()
		gone, here := dial(t, n, "a:1"), dial(t, n, "a:1")
		defer here.Close()
		io.WriteString(gone, string(bulks("BLPOP", "l", "0")))
		synctest.Wait()
		gone.Close()
		synctest.Wait()
		here.ask("RPUSH", "l", "v")
		if got := a.List("l"); len(got) != 1 {
			t.Error("popped for nobody")
		}
		if got := here.ask("BLPOP", "l", "0"); got != "*2\r\n$1\r\nl\r\n$1\r\nv\r\n" {
			t.Errorf("%q", got)
		}
		began := time.Now()
		if got := here.ask("BLPOP", "l", "2"); got != "*-1\r\n" || time.Since(began) != 2*time.Second {
			t.Errorf("%q after %s", got, time.Since(began))
		}
	})
}

func TestSentinel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		s := StartSentinel(n.MustListen("s:1"), "mymaster", "[::1]:6379")
		defer s.Close()
		p, sub := dial(t, n, "s:1"), dial(t, n, "s:1")
		defer p.Close()
		defer sub.Close()
		if got := p.ask("SENTINEL", "get-master-addr-by-name", "mymaster"); got != "*2\r\n$3\r\n::1\r\n$4\r\n6379\r\n" {
			t.Errorf("%q", got)
		}
		if got := p.ask("SENTINEL", "get-master-addr-by-name", "x") + p.ask("SENTINEL", "MASTER", "x"); got != "*-1\r\n-ERR No such master with that name\r\n" {
			t.Errorf("%q", got)
		}
		sub.ask("SUBSCRIBE", "+odown")
		s.Publish("+odown", "x")
		s.Publish("-odown", "x")
		if got := sub.reply() + sub.ask("PING"); got != "*3\r\n$7\r\nmessage\r\n$6\r\n+odown\r\n$1\r\nx\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n" {
			t.Errorf("%q", got)
		}
		s.Forbid("SUBSCRIBE")
		if got := p.ask("SUBSCRIBE", "x"); !strings.HasPrefix(got, "-NOPERM") {
			t.Errorf("%q", got)
		}
		s.AfterMaster(func(m *Master) { m.Epoch = 5 })
		if got := p.ask("SENTINEL", "MASTER", "mymaster"); !strings.Contains(got, "config-epoch\r\n$1\r\n0") {
			t.Errorf("%q", got)
		}
		if s.Master().Epoch != 5 || len(s.Calls("SENTINEL MASTER")) != 2 {
			t.Error(s.Master(), s.Calls())
		}
	})
}

// TestRedisAgainstTheRealOne lets a real redis-server say what is right.
func TestRedisAgainstTheRealOne(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is not installed; test/setup.sh --tests installs it")
	}
	socket := t.TempDir() + "/s"
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--save", "")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	var real net.Conn
	for deadline := time.Now().Add(10 * time.Second); real == nil; {
		c, err := net.Dial("unix", socket)
		if err == nil {
			real = c
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		} else {
			<-time.After(10 * time.Millisecond)
		}
	}
	defer real.Close()
	n := NewNetwork()
	f := StartRedis(n.MustListen("a:1"))
	defer f.Close()
	pf := dial(t, n, "a:1")
	defer pf.Close()
	pr := &peer{t, real, bufio.NewReader(real)}
	for _, line := range []string{"PING", "PING x", "ECHO y", "SET k 1", "GET k", "GET none", "INCR k", "INCRBY k 5", "INCR none2", "APPEND k 9", "STRLEN k",
		"RPUSH l a b c", "LPUSH l z", "LLEN l", "LRANGE l 0 -1", "LRANGE l 1 2", "LRANGE l 5 9", "LRANGE l -2 -1", "LPOP l", "BLPOP l 1", "LPOP none",
		"EXISTS k l none", "DEL k none", "SELECT 3", "GET k", "LLEN l", "SELECT 99", "SELECT 0", "ROLE", "MULTI", "MULTI", "SET t 1", "GET t", "EXEC",
		"EXEC", "DISCARD", "MULTI", "NOSUCH", "EXEC", "MULTI", "GET", "EXEC", "WATCH t", "SET t 2", "MULTI", "GET t", "EXEC", "WATCH t", "UNWATCH", "MULTI", "SET t 3", "DISCARD",
		"GET t", "GET", "NOSUCH", "AUTH a b", "AUTH p", "WAIT 0 0", "HELLO 9", "RESET", "QUIT"} {
		args := strings.Fields(line)
		if got, want := pf.ask(args...), pr.ask(args...); got != want && line != "ROLE" {
			t.Errorf("%s: fake %q, real %q", line, got, want)
		}
	}
}
