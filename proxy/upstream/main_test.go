package upstream

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"steadis/test/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record notes what happens to calls and waiters, in order.
type record struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (r *record) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// spareTrouble is what a spare connection of the first generation says at its end, like
// any other.
const spareTrouble = "trouble 1"

// want compares everything noted since the last want.
func (r *record) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(want, spareTrouble) {
		// A spare connection may end too, whenever those of the test do.
		r.lines = slices.DeleteFunc(r.lines, func(line string) bool { return line == spareTrouble })
	}
	if !slices.Equal(r.lines, want) {
		t.Errorf("got  %q\nwant %q", r.lines, want)
	}
	r.lines = nil
}

// wantOnly checks that one line was noted since the last want, once or more.
func (r *record) wantOnly(t *testing.T, line string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) == 0 || slices.ContainsFunc(r.lines, func(l string) bool { return l != line }) {
		t.Errorf("got  %q\nwant only %q", r.lines, line)
	}
	r.lines = nil
}

// call is a Call that notes its fate under its name.
type call struct {
	*record
	name       string
	wire       string // name and CRLF if empty
	frames     int    // 0 means 1
	untrusted  bool
	stake      Stake
	errorsEnds bool
}

func (c *call) AppendWire(dst []byte) []byte {
	if c.wire == "" {
		return append(dst, c.name+"\r\n"...)
	}
	return append(dst, c.wire...)
}
func (c *call) Frames() int     { return max(1, c.frames) }
func (c *call) ErrorEnds() bool { return c.errorsEnds }
func (c *call) Trusted() bool   { return !c.untrusted }
func (c *call) Stake() Stake    { return c.stake }

func (c *call) Reply(frame []byte, last bool) Owner {
	if len(frame) > 60 {
		frame = fmt.Appendf(nil, "%d bytes  ", len(frame))
	}
	more := ""
	if !last {
		more = "..."
	}
	c.note("%s=%s%s", c.name, frame[:len(frame)-2], more)
	return nil
}

func (c *call) Lost(f Fate) Owner {
	c.note("%s %v", c.name, f)
	return nil
}

// calls makes plain calls of these names.
func (r *record) calls(names ...string) []Call {
	out := make([]Call, len(names))
	for i, name := range names {
		out[i] = &call{record: r, name: name}
	}
	return out
}

// waiter is a Pinner that notes what it is told.
type waiter struct {
	*record
	name string
}

func (w *waiter) LinkEvent(_ *Link, e Event, frame []byte) {
	w.note("%s %s%s", w.name, [...]string{"ready", "refused", "expired", "down"}[e], frame)
}

func (w *waiter) Push(_ *Link, frame []byte) Owner {
	w.note("%s push %q", w.name, frame)
	return nil
}

// rig is a pool between fake nodes.
type rig struct {
	record
	t    *testing.T
	net  *fake.Network
	a, b *fake.Redis
	pool *Pool
}

// inRig runs f in a bubble; dial, if not nil, wraps the network's.
func inRig(t *testing.T, o Options, wrap func(net.Conn) net.Conn, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := fake.NewNetwork()
		r := &rig{t: t, net: n}
		r.a, r.b = fake.StartRedis(n.MustListen("a:1")), fake.StartRedis(n.MustListen("b:1"))
		defer r.a.Close()
		defer r.b.Close()
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := n.Dial(ctx, network, addr)
			if err == nil && wrap != nil {
				nc = wrap(nc)
			}
			return nc, err
		}
		if o.Timeout == 0 {
			o.Timeout = 5 * time.Second
		}
		if o.Window == 0 {
			o.Window = 30 * time.Second
		}
		if o.Trouble == nil {
			o.Trouble = func(g uint64, err error) { r.note("trouble %d", g) }
		}
		r.pool = NewPool(o)
		defer r.pool.Stop()
		f(t, r)
	})
}

func (r *rig) waiter(name string) *waiter { return &waiter{&r.record, name} }

// await checks Await's answer.
func (r *rig) await(l *Link, name string, want Waiting) {
	r.t.Helper()
	if got := l.Await(r.waiter(name)); got != want {
		r.t.Errorf("%s: Await answers %v, want %v", name, got, want)
	}
}

// connected brings l a connection.
func (r *rig) connected(l *Link) *Conn {
	r.t.Helper()
	w := &waiter{&record{}, "connected"}
	if l.Await(w) == Queued {
		w.want(r.t, "connected ready")
	}
	if l.Conn() == nil {
		r.t.Fatal("no connection")
	}
	return l.Conn()
}

// ping is a call that the fake nodes answer.
func (r *rig) ping(name string) []Call {
	return []Call{&call{record: &r.record, name: name, wire: "*1\r\n$4\r\nPING\r\n"}}
}
