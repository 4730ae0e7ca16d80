package fanout

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// server is a real redis-server and a connection to look at it.
type server struct {
	t    testing.TB
	addr string
	nc   net.Conn
	br   *bufio.Reader
}

// startRedis runs a redis-server on a free port until the test ends.
func startRedis(t testing.TB, args ...string) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "",
		"--dir", t.TempDir(), "--loglevel", "warning"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatalf("redis-server is needed: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			return (&server{addr: addr}).again(t)
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
	}
}

// again returns the server with a connection of its own.
func (s *server) again(t testing.TB) *server {
	t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &server{t: t, addr: s.addr, nc: nc, br: bufio.NewReaderSize(nc, 64<<10)}
}

// send sends a command.
func (s *server) send(args ...string) {
	s.t.Helper()
	if _, err := s.nc.Write(resp.AppendCommand(nil, args...)); err != nil {
		s.t.Fatal(err)
	}
}

// reply reads one reply, as it came.
func (s *server) reply() string {
	s.t.Helper()
	var scanner resp.Scanner
	var frame []byte
	for {
		if _, err := s.br.Peek(1); err != nil {
			s.t.Fatal(err)
		}
		have, _ := s.br.Peek(s.br.Buffered())
		n, whole, err := scanner.Scan(have)
		if err != nil {
			s.t.Fatal(err)
		}
		frame = append(frame, have[:n]...)
		s.br.Discard(n)
		if whole {
			return string(frame)
		}
	}
}

// do runs a command and returns its reply.
func (s *server) do(args ...string) string {
	s.t.Helper()
	s.send(args...)
	return s.reply()
}

// must runs commands of words that have to succeed.
func (s *server) must(commands ...string) {
	s.t.Helper()
	for _, c := range commands {
		if r := s.do(strings.Fields(c)...); r[0] == '-' {
			s.t.Fatalf("%s: %s", c, r)
		}
	}
}

// number runs a command that answers with a number.
func (s *server) number(args ...string) int {
	s.t.Helper()
	n, err := strconv.Atoi(strings.Trim(s.do(args...), ":\r\n"))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// list runs a command that answers with strings and returns them sorted.
func (s *server) list(args ...string) []string {
	s.t.Helper()
	got := []string{}
	for _, e := range resp.Elements([]byte(s.do(args...))) {
		text, _ := firstBulk(e)
		got = append(got, string(text))
	}
	slices.Sort(got)
	return got
}

// eventually asks until the answer is right.
func eventually[T any](t testing.TB, what string, ask func() T, right func(T) bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		got := ask()
		if right(got) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: still %v", what, got)
		}
	}
}

// becomes waits until a server's list is as wanted.
func (s *server) becomes(want []string, args ...string) {
	s.t.Helper()
	want = slices.Sorted(slices.Values(want))
	eventually(s.t, strings.Join(args, " "), func() []string { return s.list(args...) },
		func(got []string) bool { return slices.Equal(got, want) })
}

// rig is a pool and its hubs.
type rig struct {
	t    testing.TB
	pool *upstream.Pool
	hubs *Hubs
	gen  uint64
}

func newRig(t testing.TB, o Options) *rig {
	return newRigOn(t, o, (&net.Dialer{}).DialContext)
}

// newRigOn is newRig with connections that dial makes.
func newRigOn(t testing.TB, o Options, dial func(context.Context, string, string) (net.Conn, error)) *rig {
	r := &rig{t: t}
	r.pool = upstream.NewPool(upstream.Options{Dial: dial, Timeout: 5 * time.Second, Window: patience, Connections: 1})
	r.hubs = NewHubs(r.pool, o)
	t.Cleanup(func() {
		r.hubs.Close()
		r.pool.Close()
		r.pool.Stop()
	})
	return r
}

// open opens the gate to a new master.
func (r *rig) open(s *server) {
	r.gen++
	r.reopen(s)
}

// reopen opens the gate to the same master.
func (r *rig) reopen(s *server) { r.pool.Open(s.addr, r.gen, r.gen) }

var nobody = upstream.Identity{}

// answer is how a ticket ended.
type answer struct {
	refusal string
	at      int // how many messages came before
}

// person is a Subscriber that is built as a session is: it calls the hub with its own
// lock held.
type person struct {
	t testing.TB

	mu       sync.Mutex // guards the fields below; taken before the hub's
	changed  sync.Cond
	m        *Member
	got      []string // messages as Redis sent them
	answers  map[*Ticket]answer
	order    []*Ticket
	gaps     int
	refused  []string
	rejected []string
	settled  int
	dirty    bool
	block    chan struct{} // if set, Message waits for it
	blocked  bool          // and does so
}

func (r *rig) person(id upstream.Identity) *person {
	r.t.Helper()
	p := &person{t: r.t, answers: make(map[*Ticket]answer)}
	p.changed.L = &p.mu
	if p.m = r.hubs.Join(id, p); p.m == nil {
		r.t.Fatal("there is no room")
	}
	return p
}

func (p *person) soil() upstream.Owner {
	p.changed.Broadcast()
	if p.dirty {
		return nil
	}
	p.dirty = true
	return p
}

func (p *person) Settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settled++
	p.dirty = false
}

func (p *person) Message(s *Subscription, frame []byte) upstream.Owner {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.block != nil {
		wait := p.block
		p.blocked = true
		p.changed.Broadcast()
		p.mu.Unlock()
		<-wait
		p.mu.Lock()
	}
	if !s.Live() {
		return nil
	}
	p.got = append(p.got, string(frame))
	return p.soil()
}

func (p *person) Subscribed(t *Ticket, refusal []byte) upstream.Owner {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !t.Live() {
		return nil
	}
	if _, twice := p.answers[t]; twice {
		p.t.Errorf("%v: answered twice", t.Names())
	}
	p.answers[t] = answer{string(refusal), len(p.got)}
	p.order = append(p.order, t)
	return p.soil()
}

func (p *person) Gap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gaps++
	p.changed.Broadcast()
}

func (p *person) Refused(kind Kind, name string, frame []byte) upstream.Owner {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = append(p.refused, fmt.Sprintf("%v %s %s", kind, name, resp.ErrorPrefix(frame)))
	return p.soil()
}

func (p *person) Rejected(frame []byte) upstream.Owner {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rejected = append(p.rejected, string(resp.ErrorPrefix(frame)))
	return p.soil()
}

// ask is Subscribe; nil says that there is no need to wait.
func (p *person) ask(kind Kind, names ...string) *Ticket {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m.Subscribe(kind, names)
}

// until waits until the person's state is as wanted.
func (p *person) until(what string, ok func() bool) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	late := false
	timer := time.AfterFunc(patience, func() {
		p.mu.Lock()
		late = true
		p.mu.Unlock()
		p.changed.Broadcast()
	})
	defer timer.Stop()
	for !ok() {
		if late {
			p.t.Fatalf("%s: not in time; got %d messages, %d gaps, refused %q, rejected %q", what, len(p.got), p.gaps, p.refused, p.rejected)
		}
		p.changed.Wait()
	}
}

// outcome waits for a ticket's answer.
func (p *person) outcome(t *Ticket) string {
	p.t.Helper()
	if t == nil {
		return ""
	}
	p.until("an answer to the ticket", func() bool { _, ok := p.answers[t]; return ok })
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answers[t].refusal
}

// subscribe subscribes and waits for it.
func (p *person) subscribe(kind Kind, names ...string) {
	p.t.Helper()
	if refusal := p.outcome(p.ask(kind, names...)); refusal != "" {
		p.t.Fatalf("%v: %s", clip(names), refusal)
	}
}

func (p *person) unsubscribe(kind Kind, names ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m.Unsubscribe(kind, names)
}

func (p *person) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m.Leave()
}

// gets waits for n messages and checks them.
func (p *person) gets(want ...string) {
	p.t.Helper()
	p.until(fmt.Sprintf("messages %q", want), func() bool { return len(p.got) >= len(want) })
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.got, want) {
		p.t.Errorf("got  %q\nwant %q", p.got, want)
	}
	p.got = nil
}

func message(kind Kind, parts ...string) string {
	word := [kinds]string{"message", "pmessage", "smessage"}[kind]
	return string(resp.AppendCommand(nil, append([]string{word}, parts...)...))
}

func clip(names []string) []string { return names[:min(len(names), 5)] }
