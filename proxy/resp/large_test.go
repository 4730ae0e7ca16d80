package resp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/redcon"
)

// setOf is a SET of a value of n bytes.
func setOf(n int) []byte { return AppendCommand(nil, "SET", "k", strings.Repeat("v", n)) }

func TestPlaceholder(t *testing.T) {
	if got := AppendCommand(nil, placeholderArg); string(got) != placeholder {
		t.Errorf("%q is not canonical: %q", placeholder, got)
	}
}

// TestLargeCommandsGoAround: redcon never sees them, so that its buffer stays small.
func TestLargeCommandsGoAround(t *testing.T) {
	var in []byte
	var want []int
	for _, n := range []int{10, 5000, 4096 - 35, 4096, 16 << 20, 3, 70000, 70000, 100} {
		raw := setOf(n)
		in, want = append(in, raw...), append(want, len(raw))
	}
	for _, size := range []int{100, 4096, 1 << 20} {
		budget := NewBudget(17 << 20)
		g := NewGuard(&pieces{data: in, next: always(size)}, Limits{Budget: budget})
		rd := redcon.NewReader(g)
		var got []int
		for len(got) < len(want) {
			batch, err := rd.ReadCommands()
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range batch {
				raw, args, _, large := g.TakeLarge(c.Args)
				if large != (len(raw) > maxInPlace) || large && !bytes.Equal(raw, setOf(len(args[2]))) {
					t.Fatalf("command %d: large %v, %d bytes", len(got), large, len(raw))
				}
				if !large {
					raw = c.Raw
				} else if &args[2][0] != &raw[len(raw)-2-len(args[2])] {
					t.Error("the arguments are not parts of the command")
				}
				got = append(got, len(raw))
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("pieces of %d: commands of %d bytes, not %d", size, got, want)
		}
		if n := reflect.ValueOf(rd).Elem().FieldByName("buf").Cap(); n > 8<<10 {
			t.Errorf("pieces of %d: redcon keeps %d bytes", size, n)
		}
		if used := budget.Used(); used != 0 {
			t.Errorf("pieces of %d: %d bytes of the budget are used", size, used)
		}
	}
}

// TestLargeIsWaitedFor: its memory counts until it is taken, and a fault behind it
// does not take it away.
func TestLargeIsWaitedFor(t *testing.T) {
	budget := NewBudget(1 << 20)
	in := append(setOf(200<<10), "*1\r\n!\r\n"...)
	g := NewGuard(&pieces{data: in, next: always(1 << 20)}, Limits{Budget: budget})
	p := make([]byte, 4096)
	if n, err := g.Read(p); err != nil || string(p[:n]) != placeholder {
		t.Fatalf("%q, %v", p[:n], err)
	}
	if _, err := g.Read(p); faultOf(t, err) == "" {
		t.Fatal("no fault")
	}
	used := budget.Used()
	if most := int64(200<<10 - freeQuery + 100); used < most-200 || used > most {
		t.Errorf("%d bytes of the budget are used", used)
	}
	raw, args, _, large := g.TakeLarge([][]byte{[]byte(placeholderArg)})
	if !large || !bytes.Equal(raw, setOf(200<<10)) || len(args) != 3 {
		t.Errorf("%d bytes, %v", len(raw), large)
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes of the budget are used", used)
	}
	if raw, _, _, large := g.TakeLarge([][]byte{[]byte(placeholderArg)}); raw != nil || !large {
		t.Error("another command is taken that nobody sent")
	}
	for _, args := range [][][]byte{nil, {[]byte("PING")}, {[]byte(placeholderArg), nil}} {
		if _, _, _, large := g.TakeLarge(args); large {
			t.Errorf("%q stands for a large command", args)
		}
	}
}

// TestPlaceholderOfAClient: a client that knows it gets its own command, and others
// keep their order.
func TestPlaceholderOfAClient(t *testing.T) {
	like := strings.Repeat("x", len(placeholderArg))
	in := placeholder + string(setOf(5000)) + placeholder + "PING\r\n'" + placeholderArg + "'\r\n" + string(setOf(6000)) + like + "\r\n" + placeholder
	want := [][]string{{placeholderArg}, {"SET", "k", strings.Repeat("v", 5000)}, {placeholderArg}, {"PING"}, {placeholderArg},
		{"SET", "k", strings.Repeat("v", 6000)}, {like}, {placeholderArg}}
	for _, size := range []int{1, 7, 1 << 20} {
		g := NewGuard(&pieces{data: []byte(in), next: always(size)}, DefaultLimits())
		got, err := drain(g)
		if faultOf(t, err) != "" || !reflect.DeepEqual(got, want) {
			t.Errorf("pieces of %d: %.300q, %v", size, got, err)
		}
		if g.q.account.memory != 0 {
			t.Errorf("pieces of %d: %d bytes are left", size, g.q.account.memory)
		}
	}
}

// TestLargeMemoryFollowsBytes: memory is at most double of what has come, whatever
// was announced, and one that announces truly gets what it needs and no more.
func TestLargeMemoryFollowsBytes(t *testing.T) {
	stalled := errors.New("stalled")
	whole := setOf(1 << 20)
	for _, c := range []struct {
		name string
		sent []byte
		most int
	}{
		{"a header alone", []byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$400000000\r\n"), firstLarge},
		{"1 of 400 MB", fmt.Appendf(nil, "*1\r\n$400000000\r\n%s", strings.Repeat("v", 1<<20)), 2<<20 + 2*firstLarge},
		{"many arguments", fmt.Appendf(nil, "*900000\r\n%s", strings.Repeat("$1\r\na\r\n", 150000)), 2<<20 + 2*firstLarge},
		{"all but a byte", whole[:len(whole)-1], len(whole) + 32},
	} {
		for _, size := range []int{1, 1000, 1 << 20} {
			g := NewGuard(&pieces{data: c.sent, next: always(size), err: stalled}, DefaultLimits())
			if _, err := g.Read(make([]byte, 4096)); err != stalled {
				t.Fatal(err)
			}
			if got := g.q.account.memory; got > int64(c.most) {
				t.Errorf("%s, pieces of %d: %d bytes of memory", c.name, size, got)
			}
		}
	}
}

// TestLargeAndClose closes from another goroutine while a large command is read,
// waits, or is taken.
func TestLargeAndClose(t *testing.T) {
	budget := NewBudget(8 << 20)
	for round := range 200 {
		server, client := net.Pipe()
		g := NewGuard(server, Limits{Budget: budget})
		half := make(chan struct{})
		go func() {
			for k := 0; ; k++ {
				if _, err := client.Write(setOf(100 << 10)); err != nil {
					return
				}
				if k == round%3 {
					close(half)
				}
			}
		}()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			rd := redcon.NewReader(g)
			for {
				batch, err := rd.ReadCommands()
				if err != nil {
					return
				}
				for _, c := range batch {
					raw, args, _, large := g.TakeLarge(c.Args)
					if !large || raw != nil && len(args) != 3 {
						t.Errorf("%v, %q", large, args)
					}
				}
			}
		}()
		<-half
		_ = g.Close()
		<-ended
		if raw, _, _, large := g.TakeLarge([][]byte{[]byte(placeholderArg)}); raw != nil || !large {
			t.Error("a command is taken from a closed Guard")
		}
		_ = client.Close()
		if used := budget.Used(); used != 0 || g.q.account.memory != 0 {
			t.Fatalf("%d bytes were not given back", used)
		}
	}
}
