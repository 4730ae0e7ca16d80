package conformance

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// honestly is a relay's way with replies that changes nothing.
func honestly(frame []byte) ([]byte, bool) { return frame, true }

// lies are ways of a relay with a reply: what goes on instead, and whether the
// connection does.
var lies = []struct {
	name string
	tell func(frame []byte) ([]byte, bool)
}{
	{"another first byte", func(f []byte) ([]byte, bool) { return append([]byte{'+'}, f[1:]...), true }},
	{"another byte in the middle", func(f []byte) ([]byte, bool) {
		f[len(f)/2] ^= 0x01
		return f, true
	}},
	{"a byte less", func(f []byte) ([]byte, bool) { return f[:len(f)-1], true }},
	{"a byte more", func(f []byte) ([]byte, bool) { return append(f, '\n'), true }},
	{"nothing", func([]byte) ([]byte, bool) { return nil, true }},
	{"twice", func(f []byte) ([]byte, bool) { return append(f, f...), true }},
	{"the end instead", func([]byte) ([]byte, bool) { return nil, false }},
	{"the end behind it", func(f []byte) ([]byte, bool) { return f, false }},
}

// TestJudge tests the suite: between two Redis servers it finds nothing, and with a
// dishonest relay before the second one it finds each lie.
func TestJudge(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := startPair(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}()
	behind := p.front
	p.patience /= 10 // silence is what some of the lies are
	for _, proto := range []int{2, 3} {
		p.front = behind
		if bad := judgeSample(t, p, proto, 7); len(bad) > 0 {
			t.Errorf("RESP%d, two Redis servers: %d differences, the first is %v", proto, len(bad), bad[0])
		}
		r := startRelay(t, behind, honestly)
		p.front = r.addr()
		if bad := judgeSample(t, p, proto, 41); len(bad) > 0 {
			t.Errorf("RESP%d, an honest relay: %d differences, the first is %v", proto, len(bad), bad[0])
		}
		for _, lie := range lies {
			r := startRelay(t, behind, lie.tell)
			p.front = r.addr()
			if bad, err := play(p, 2, dialogue{name: "judged", lines: []listed{
				{1, "A> SET k value"}, {2, "A> GET k"}, {3, "B> LRANGE list 0 -1"}, {4, "A> GET liar ; GET k"}, {5, "A> GET k"},
			}}, false); err != nil || len(bad) == 0 {
				t.Errorf("%s: not found (%v)", lie.name, err)
			} else if bad[0].line < 4 {
				t.Errorf("%s: found too early, in line %d", lie.name, bad[0].line)
			}
		}
	}
}

// judgeSample plays every nth case of the tables, and the dialogues if n is small.
func judgeSample(t *testing.T, p *pair, proto, n int) (bad []*mismatch) {
	t.Helper()
	r := &runner{p: p, proto: proto}
	defer r.leave()
	i := 0
	for _, f := range readFamilies(t) {
		for _, tc := range f.cases {
			m := modes[i%len(modes)]
			if i++; i%n != 0 || tc.flags["refused"] || tc.flags["slow"] || !m.fits(tc) {
				continue
			}
			found, _, err := r.attempt(tc, m)
			if err != nil {
				t.Fatalf("%s: %v", tc.where, err)
			}
			if found != nil {
				bad = append(bad, found)
			}
			r.leave()
			if err := p.tidy(tc); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, d := range readDialogues(t) {
		if n > 10 || i%3 != 0 || d.only != 0 && d.only != proto {
			continue
		}
		found, err := play(p, proto, d, false)
		if err != nil {
			t.Fatalf("%s: %v", d.where, err)
		}
		for _, f := range found {
			bad = append(bad, f.mismatch)
		}
		if err := p.putBack(); err != nil {
			t.Fatal(err)
		}
	}
	return bad
}

// relay passes bytes on, but for the replies to one pipeline with the word liar in
// it.
type relay struct {
	ln   net.Listener
	to   string
	tell func([]byte) ([]byte, bool)
	wg   sync.WaitGroup // accept, and up and down for each connection

	mu    sync.Mutex // guards conns; no I/O under it
	conns []net.Conn
}

func startRelay(t *testing.T, to string, tell func([]byte) ([]byte, bool)) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{ln: ln, to: to, tell: tell}
	r.wg.Add(1)
	go r.accept()
	t.Cleanup(r.close)
	return r
}

func (r *relay) addr() string { return r.ln.Addr().String() }

func (r *relay) close() {
	r.ln.Close()
	r.mu.Lock()
	for _, nc := range r.conns {
		nc.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

func (r *relay) accept() {
	defer r.wg.Done()
	for {
		nc, err := r.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.to)
		if err != nil {
			nc.Close()
			return
		}
		r.mu.Lock()
		r.conns = append(r.conns, nc, server)
		r.mu.Unlock()
		r.wg.Add(2)
		lie := make(chan bool, 1)
		go r.up(nc, server, lie)
		go r.down(nc, server, lie)
	}
}

// up passes on what the client sends, and notes when the lie is due.
func (r *relay) up(nc, server net.Conn, lie chan<- bool) {
	defer r.wg.Done()
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := nc.Read(buf)
		if bytes.Contains(buf[:n], []byte("liar")) {
			lie <- true
		}
		if _, werr := server.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// down passes on what the server answers, but once what the lie makes of it.
func (r *relay) down(nc, server net.Conn, lie <-chan bool) {
	defer r.wg.Done()
	defer nc.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		out, goOn := buf[:n], true
		select {
		case <-lie:
			// A copy: the lie may make it longer.
			out, goOn = r.tell(bytes.Clone(out))
		default:
		}
		if _, werr := nc.Write(out); err != nil || werr != nil || !goOn {
			return
		}
	}
}
