package resp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/tidwall/redcon"
)

// streaming are limits with which arguments of more than 1000 bytes come as bodies.
func streaming(budget *Budget) Limits {
	return Limits{Budget: budget, StreamFrom: 1000, Streams: func(args [][]byte) bool {
		return strings.EqualFold(string(args[0]), "set")
	}}
}

// readAll reads every command through redcon; each body is read to its end by another
// goroutine, as a connection's writer does. It returns them as they would be sent.
func readAll(t *testing.T, g *Guard) (sent []byte, bodies int, err error) {
	t.Helper()
	rd := redcon.NewReader(g)
	var body chan []byte // of the last command
	for {
		batch, err := rd.ReadCommands()
		if body != nil {
			sent, body = append(append(sent, <-body...), "\r\n"...), nil
		}
		if err != nil {
			return sent, bodies, err
		}
		for i, c := range batch {
			raw, args, b, large := g.TakeLarge(c.Args)
			if !large {
				raw = c.Raw
			}
			sent = append(sent, raw...)
			if b == nil {
				continue
			}
			if last := args[len(args)-1]; len(last) != 0 || i != len(batch)-1 {
				t.Fatalf("command %d of %d has a body: %q", i, len(batch), args)
			}
			bodies++
			body = make(chan []byte, 1)
			go func() {
				all, err := io.ReadAll(b)
				if err != nil {
					all = []byte(err.Error())
				}
				body <- all
			}()
		}
	}
}

func TestBodies(t *testing.T) {
	var in []byte
	for _, n := range []int{10, 999, 1000, 1001, 1002, 5000, 70000, 3, 1 << 20, 4096} {
		in = append(in, setOf(n)...)
	}
	in = append(in, AppendCommand(nil, "LPUSH", "l", strings.Repeat("x", 5000))...)                     // its own matter
	in = append(in, AppendCommand(nil, "SET", strings.Repeat("k", 5000), strings.Repeat("v", 2000))...) // after a large key
	in = append(in, AppendCommand(nil, "SET", "k", strings.Repeat("v", 5000), "EX", "10")...)           // not the last one
	in = append(in, AppendCommand(nil, "PING")...)
	for _, size := range []int{1, 7, 100, 4096, 1 << 20} {
		budget := NewBudget(1 << 20)
		g := NewGuard(&pieces{data: in, next: always(size)}, streaming(budget))
		sent, bodies, err := readAll(t, g)
		if err != io.EOF || !bytes.Equal(sent, in) || bodies < 4 { // what comes whole is left whole
			t.Errorf("pieces of %d: %d bytes of %d, the same: %v, %d bodies, %v", size, len(sent), len(in), bytes.Equal(sent, in), bodies, err)
		}
		if g.Close(); budget.Used() != 0 {
			t.Errorf("pieces of %d: %d bytes are still used", size, budget.Used())
		}
	}
}

// TestBodyCut: the client hangs up in the midst of it.
func TestBodyCut(t *testing.T) {
	in := setOf(5000)
	for _, n := range []int{1100, 3000, len(in) - 3} {
		g := NewGuard(&pieces{data: in[:n], next: always(100)}, streaming(nil))
		sent, bodies, err := readAll(t, g)
		if bodies != 1 || err != io.EOF || !bytes.HasSuffix(sent, []byte(ErrBodyCut.Error()+"\r\n")) {
			t.Errorf("%d bytes: %d bodies, %v, ends with %q", n, bodies, err, sent[max(0, len(sent)-80):])
		}
		g.Close()
	}
}

// TestBodyThatNobodyWants: the rest of it is dropped, and the next command comes.
func TestBodyThatNobodyWants(t *testing.T) {
	for _, read := range []int{0, 500, 2000} {
		g := NewGuard(&pieces{data: append(setOf(5000), AppendCommand(nil, "PING")...), next: always(100)}, streaming(nil))
		rd := redcon.NewReader(g)
		batch, err := rd.ReadCommands()
		if err != nil || len(batch) != 1 {
			t.Fatal(batch, err)
		}
		_, _, body, large := g.TakeLarge(batch[0].Args)
		if !large || body == nil || body.Begun() {
			t.Fatal("no body")
		}
		go func() {
			_, _ = io.CopyN(io.Discard, body, int64(read))
			body.Close()
		}()
		if batch, err = rd.ReadCommands(); err != nil || string(batch[0].Args[0]) != "PING" {
			t.Errorf("%d bytes read: %q, %v", read, batch, err)
		}
		if body.Begun() != (read > 0) {
			t.Errorf("%d bytes read: begun: %v", read, body.Begun())
		}
		g.Close()
	}
}

// TestBodyAndAGuardThatIsClosed: Read, which waits for a reader, returns.
func TestBodyAndAGuardThatIsClosed(t *testing.T) {
	g := NewGuard(&pieces{data: setOf(5000), next: always(100)}, streaming(nil))
	rd := redcon.NewReader(g)
	batch, err := rd.ReadCommands()
	if err != nil {
		t.Fatal(err)
	}
	_, _, body, _ := g.TakeLarge(batch[0].Args)
	ended := make(chan error, 1)
	go func() {
		_, err := rd.ReadCommands()
		ended <- err
	}()
	g.Close()
	if err := <-ended; err == nil {
		t.Error("Read goes on")
	}
	if _, err := io.ReadAll(body); !errors.Is(err, ErrBodyCut) {
		t.Errorf("the body: %v", err)
	}
}
