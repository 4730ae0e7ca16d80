package roster

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// server is a real redis-server.
type server struct {
	t            *testing.T
	addr, socket string
}

// startRedis runs a redis-server on a free port and a Unix socket until the test ends.
func startRedis(t *testing.T) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	dir, err := os.MkdirTemp("", "steadis-roster") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	// The longest path of which Redis shows all, and one byte more.
	s := &server{t: t, addr: addr, socket: filepath.Join(dir, strings.Repeat("s", max(75-len(dir), 1)))}
	_, port, _ := net.SplitHostPort(addr)
	// A replica waits for its copy until the test is over.
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--unixsocket", s.socket, "--dir", dir, "--save", "",
		"--loglevel", "warning", "--repl-diskless-sync-delay", "3600")
	if err := cmd.Start(); err != nil {
		t.Fatalf("redis-server is needed: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		if nc, err := net.Dial("unix", s.socket); err == nil { // Redis listens there last
			_ = nc.Close()
			s.dial().ok("+OK\r\n", "ACL", "SETUSER", "worker", "on", "nopass", "~*", "&*", "+@all")
			return s
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
	}
}

// link is a connection to the server.
type link struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

func (s *server) dial() *link { return s.dialTo("tcp", s.addr) }

func (s *server) dialTo(network, addr string) *link {
	s.t.Helper()
	nc, err := net.Dial(network, addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(60 * time.Second))
	return &link{t: s.t, nc: nc, r: bufio.NewReader(nc)}
}

// send sends commands in one write.
func (l *link) send(commands ...[]string) {
	l.t.Helper()
	var b strings.Builder
	for _, args := range commands {
		fmt.Fprintf(&b, "*%d\r\n", len(args))
		for _, arg := range args {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
		}
	}
	if _, err := io.WriteString(l.nc, b.String()); err != nil {
		l.t.Fatal(err)
	}
}

// do sends one command and returns its reply.
func (l *link) do(args ...string) string {
	l.t.Helper()
	l.send(args)
	return l.reply()
}

// reply reads one reply: a bulk or verbatim string's text alone, the rest as it is.
func (l *link) reply() string {
	l.t.Helper()
	line, err := l.r.ReadString('\n')
	if err != nil {
		l.t.Fatalf("no reply: %v", err)
	}
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return line
		}
		body := make([]byte, n+2)
		if _, err := io.ReadFull(l.r, body); err != nil {
			l.t.Fatalf("half a reply: %v", err)
		}
		text := string(body[:n])
		if line[0] == '=' {
			text = strings.TrimPrefix(text, "txt:")
		}
		return text
	case '*', '>', '%':
		if line[0] == '%' {
			n *= 2
		}
		for range n {
			line += l.reply()
		}
	}
	return line
}

// ok sends a command that must be answered with want.
func (l *link) ok(want string, args ...string) {
	l.t.Helper()
	if got := l.do(args...); got != want {
		l.t.Fatalf("%q: %q, not %q", args, got, want)
	}
}

func (l *link) id() uint64 {
	l.t.Helper()
	id, err := strconv.ParseUint(strings.Trim(l.do("CLIENT", "ID"), ":\r\n"), 10, 64)
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

// alive says whether the server has kept the connection.
func (l *link) alive() bool {
	if _, err := io.WriteString(l.nc, "*1\r\n$4\r\nPING\r\n"); err != nil {
		return false
	}
	_, err := l.r.ReadString('\n')
	return err == nil
}

// await asks until the line of the client with that id has what is wanted in it.
func (s *server) await(id uint64, want string) {
	s.t.Helper()
	asker := s.dial()
	var line string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if line = asker.do("CLIENT", "LIST", "ID", strconv.FormatUint(id, 10)); strings.Contains(line, want) {
			_ = asker.nc.Close()
			return
		}
	}
	s.t.Fatalf("client %d does not get %q: %s", id, want, line)
}

// keys are the fields of a line of Redis 7.0.15, in their order.
var keys = []string{
	"id", "addr", "laddr", "fd", "name", "age", "idle", "flags", "db", "sub", "psub", "ssub", "multi", "qbuf", "qbuf-free", "argv-mem",
	"multi-mem", "rbs", "rbp", "obl", "oll", "omem", "tot-mem", "events", "cmd", "user", "redir", "resp",
}

// parseLine reads a line of Redis' CLIENT LIST.
func parseLine(t *testing.T, line string) Client {
	t.Helper()
	fields := strings.Split(line, " ")
	if len(fields) != len(keys) {
		t.Fatalf("%d fields, not %d: %s", len(fields), len(keys), line)
	}
	value := map[string]string{}
	for i, field := range fields {
		v, ok := strings.CutPrefix(field, keys[i]+"=")
		if !ok {
			t.Fatalf("field %d is %s, not %s", i, field, keys[i])
		}
		value[keys[i]] = v
	}
	number := func(key string) int64 {
		n, err := strconv.ParseInt(value[key], 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return n
	}
	has := func(letter string) bool { return strings.Contains(value["flags"], letter) }
	c := Client{
		ID: uint64(number("id")), Addr: value["addr"], LAddr: value["laddr"], FD: int(number("fd")), Name: value["name"],
		Age: time.Duration(number("age")) * time.Second, Idle: time.Duration(number("idle")) * time.Second, DB: int(number("db")),
		Sub: int(number("sub")), PSub: int(number("psub")), SSub: int(number("ssub")), Multi: int(number("multi")),
		QBuf: number("qbuf"), QBufFree: number("qbuf-free"), ArgvMem: number("argv-mem"), MultiMem: number("multi-mem"),
		RBS: number("rbs"), RBP: number("rbp"), OBL: number("obl"), OLL: number("oll"), OMem: number("omem"), TotMem: number("tot-mem"),
		Events: value["events"], Cmd: value["cmd"], User: value["user"], Redir: number("redir"), Resp: int(number("resp")),
		Monitor: has("O"), PubSub: has("P"), InMulti: has("x"), Blocked: has("b"), Tracking: has("t"), BrokenRedirect: has("R"),
		Broadcast: has("B"), DirtyCAS: has("d"), CloseAfterReply: has("c"), Unblocked: has("u"), CloseASAP: has("A"), Unix: has("U"),
		ReadOnly: has("r"), NoEvict: has("e"), NoTouch: has("T"),
	}
	switch {
	case has("S"):
		c.Kind = KindReplica
	case has("M"):
		c.Kind = KindMaster
	}
	return c
}

// parseLines reads the reply to CLIENT LIST.
func parseLines(t *testing.T, list string) []Client {
	t.Helper()
	var clients []Client
	for line := range strings.Lines(list) {
		clients = append(clients, parseLine(t, strings.TrimSuffix(line, "\n")))
	}
	return clients
}
