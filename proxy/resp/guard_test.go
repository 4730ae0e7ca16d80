package resp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/redcon"
)

// drain reads all commands through g with redcon's reader and returns them and the
// error that ended it. AUTH authenticates, unless its password is wrong.
func drain(g *Guard) (cmds [][]string, err error) {
	rd := redcon.NewReader(g)
	for {
		batch, err := rd.ReadCommands()
		if err != nil {
			return cmds, err
		}
		for _, c := range batch {
			args, err := g.handled(c.Raw, c.Args)
			if err != nil {
				return cmds, err
			}
			cmds = append(cmds, args)
		}
	}
}

// drainNext is drain by way of Next, as the proxy reads.
func drainNext(g *Guard) (cmds [][]string, err error) {
	m, carry := newKept(g.Conn), []byte(nil)
	for {
		b, found, err := g.Next(m)
		if err != nil {
			return cmds, err
		}
		if found != nil && len(carry) > 0 {
			return cmds, fmt.Errorf("%d commands are found behind the beginning of one", len(found.Commands))
		}
		raw := append(carry, b...)
		n, _, whole := CountCommands(raw)
		if found != nil && (len(found.Commands) != n || whole != len(raw)) {
			return cmds, fmt.Errorf("%d commands are found where there are %d in %d of %d bytes", len(found.Commands), n, whole, len(raw))
		}
		for range n {
			args, end := AppendArgs(nil, raw)
			got, err := g.handled(raw[:end], args)
			if err != nil {
				return cmds, err
			}
			cmds, raw = append(cmds, got), raw[end:]
		}
		carry = bytes.Clone(raw)
		if found != nil {
			if err := found.check(b); err != nil {
				return cmds, err
			}
		}
	}
}

// check says what is wrong with where the commands in b and their arguments were found.
func (f *Found) check(b []byte) error {
	begin, spans := 0, f.Args
	for _, c := range f.Commands {
		want, n := AppendArgs(nil, b[begin:])
		if begin+n != int(c.A) || len(want) != int(c.B) {
			return fmt.Errorf("found %v at %d, there are %d arguments up to %d", c, begin, len(want), begin+n)
		}
		for i, a := range spans[:c.B] {
			if !bytes.Equal(b[a.A:a.B], want[i]) {
				return fmt.Errorf("found %q, there is %q", b[a.A:a.B], want[i])
			}
		}
		begin, spans = int(c.A), spans[c.B:]
	}
	return nil
}

// handled is what a handler does with a command that was handed out: it takes a large one, and
// authenticates the client where it is AUTH.
func (g *Guard) handled(raw []byte, args [][]byte) ([]string, error) {
	most := int(g.q.limits.MaxInPlace)
	if len(raw) > max(most, len(placeholder)) {
		return nil, fmt.Errorf("%d bytes are handed out in place", len(raw))
	}
	if whole, largeArgs, _, large := g.TakeLarge(args); large {
		if len(whole) <= most && len(whole) != len(placeholder) {
			return nil, fmt.Errorf("%d bytes are handed out aside", len(whole))
		}
		if spare := cap(whole) - len(whole); spare > len(whole)/8+64 {
			return nil, fmt.Errorf("%d bytes of memory for %d", cap(whole), len(whole))
		}
		raw, args = whole, largeArgs
	}
	var texts []string
	for _, a := range args {
		texts = append(texts, string(a))
	}
	if !bytes.Equal(raw, AppendCommand(nil, texts...)) {
		return nil, fmt.Errorf("not canonical: %q", raw)
	}
	if strings.EqualFold(texts[0], "auth") && texts[len(texts)-1] != "wrong" {
		g.SetUnauthenticated(false)
	}
	return texts, nil
}

// faultOf is the text of a ProtocolError, or "" at the end of the input.
func faultOf(t testing.TB, err error) string {
	t.Helper()
	var fault *ProtocolError
	if errors.As(err, &fault) {
		return fault.Text
	}
	if err != io.EOF {
		t.Errorf("neither a ProtocolError nor io.EOF: %v", err)
	}
	return ""
}

func TestGuard(t *testing.T) {
	type list = [][]string
	ping := list{{"PING"}}
	for _, c := range []struct {
		name, in string
		want     list
		fault    string
	}{
		{"canonical", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n", list{{"GET", "k"}, {"PING"}}, ""},
		{"empty argument", "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", list{{"ECHO", ""}}, ""},
		{"ignored counts", "*0\r\n*-1\r\n*-99\r\nPING\r\n*0\r\n", ping, ""},
		{"empty lines", "\r\n\n  \r\nPING\r\n\r\n", ping, ""},
		{"inline", "SET  a\t\"b c\"\r\n", list{{"SET", "a", "b c"}}, ""},
		{"inline without CR", "PING\n", ping, ""},
		{"inline escapes", `ECHO "\x41\xfF\n\r\t\b\a\q\"" 'it\'s' a"b" ''` + "\n",
			list{{"ECHO", "A\xff\n\r\t\b\aq\"", "it's", "ab", ""}}, ""},
		{"inline then canonical", "PING\r\n*1\r\n$4\r\nPING\r\nPING\r\n", list{{"PING"}, {"PING"}, {"PING"}}, ""},
		{"byte after CR not checked", "*1\rX$4\rYPINGZZ*1\r\n$4\r\nPING\r\n", list{{"PING"}, {"PING"}}, ""},
		{"byte after the end's CR not checked", "*1\r\n$4\r\nPING\rZ*1\r\n$4\r\nPING\r\n", list{{"PING"}, {"PING"}}, ""},
		{"overflow of 64 bits to 1", "*36893488147419103233\r\n$4\r\nPING\r\n", nil, "Protocol error: invalid multibulk length"},
		{"longest header", "*" + strings.Repeat("1", 65535) + "\r\n", nil, "Protocol error: invalid multibulk length"},
		{"longest bulk header", "*1\r\n$" + strings.Repeat("1", 65535) + "\r\n", nil, "Protocol error: invalid bulk length"},
		{"redcon kill", "*1\r\n$9223372036854775807\r\nx", nil, "Protocol error: invalid bulk length"},
		{"redcon spin", "*9223372036854775807\r\n$1\r\na\r\n", nil, "Protocol error: invalid multibulk length"},
		{"beyond int max", "*2147483648\r\n$1\r\na\r\n", nil, "Protocol error: invalid multibulk length"},
		{"good before bad", "*1\r\n$4\r\nPING\r\n*1\r\n!4\r\n", ping, "Protocol error: expected '$', got '!'"},
		{"inline good before bad", "PING\r\n\"\r\n", ping, "Protocol error: unbalanced quotes in request"},
		{"CR for a dollar", "*1\r\n\r\n", nil, "Protocol error: expected '$', got ' '"},
		{"quotes", "ECHO \"a\"b\r\n", nil, "Protocol error: unbalanced quotes in request"},
		{"too big line", strings.Repeat("a", 65537), nil, "Protocol error: too big inline request"},
		{"largest line", strings.Repeat("a", 65536) + "\n", list{{strings.Repeat("a", 65536)}}, ""},
		{"too big count", "*" + strings.Repeat("1", 65536), nil, "Protocol error: too big mbulk count string"},
		{"too big bulk count", "*1\r\n$" + strings.Repeat("1", 65536), nil, "Protocol error: too big bulk count string"},
		{"NUL hides the end", "PI\x00NG\r\nPING\r\n", nil, ""},
		{"NUL in a header", "*1\x00\r\n$4\r\nPING\r\n", nil, ""},
		{"NUL and much", "*1\x00\r\n" + strings.Repeat("x", 65536), nil, "Protocol error: too big mbulk count string"},
		{"leading zero", "*01\r\n", nil, "Protocol error: invalid multibulk length"},
		{"plus", "*1\r\n$+4\r\nPING\r\n", nil, "Protocol error: invalid bulk length"},
		{"minus zero", "*-0\r\n", nil, "Protocol error: invalid multibulk length"},
		{"no digits", "*\r\n", nil, "Protocol error: invalid multibulk length"},
		{"negative bulk", "*1\r\n$-1\r\n", nil, "Protocol error: invalid bulk length"},
		{"partial", "PING\r\n*2\r\n$4\r\nECHO\r\n$3\r\nab", ping, ""},
	} {
		for k, size := range []int{1, 2, 3, 7, 4096, 1 << 20, 1, 3, 4096, 1 << 20} {
			inPlace := [10]int64{6: 1, 14, 27, 40}[k] // 0: the default
			g := NewGuard(&pieces{data: []byte(c.in), next: always(size)}, Limits{MaxInPlace: inPlace})
			got, err := drain(g)
			if !reflect.DeepEqual(got, [][]string(c.want)) {
				t.Errorf("%s, pieces of %d: %.200q", c.name, size, got)
			}
			if fault := faultOf(t, err); fault != c.fault {
				t.Errorf("%s, pieces of %d: fault %q", c.name, size, fault)
			}
			if _, again := g.Read(make([]byte, 10)); again == nil || again.Error() != err.Error() {
				t.Errorf("%s, pieces of %d: then %v", c.name, size, again)
			}
		}
	}
}

func TestGuardLimits(t *testing.T) {
	limits := Limits{MaxBulk: 100, MaxArgs: 3, MaxInline: 50, MaxBuffered: 200}
	for _, c := range []struct {
		name, in string
		commands int
		fault    string
	}{
		{"bulk", "*1\r\n$100\r\n" + strings.Repeat("a", 100) + "\r\n", 1, ""},
		{"bulk beyond", "*1\r\n$101\r\n", 0, "Protocol error: invalid bulk length"},
		{"args", "*3\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n", 1, ""},
		{"args announced beyond", "*4\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n", 0, ""},
		{"args beyond", "*4\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\n", 0, "Protocol error: invalid multibulk length"},
		{"inline", strings.Repeat("a", 50) + "\r\n", 0, "Protocol error: too big inline request"},
		{"longest command", "*2\r\n$89\r\n" + strings.Repeat("a", 89) + "\r\n$93\r\n" + strings.Repeat("a", 93) + "\r\n", 1, ""},
		{"command one beyond", "*2\r\n$90\r\n" + strings.Repeat("a", 90) + "\r\n$93\r\n" + strings.Repeat("a", 93) + "\r\n", 0,
			"Protocol error: steadis: the command is longer than 200 bytes; send it in smaller ones"},
		{"command beyond", "PING\n*2\r\n$100\r\n" + strings.Repeat("a", 100) + "\r\n$100\r\n" + strings.Repeat("a", 100) + "\r\n", 1,
			"Protocol error: steadis: the command is longer than 200 bytes; send it in smaller ones"},
	} {
		for _, size := range []int{1, 5, 4096} {
			got, err := drain(NewGuard(&pieces{data: []byte(c.in), next: always(size)}, limits))
			if fault := faultOf(t, err); fault != c.fault || len(got) != c.commands {
				t.Errorf("%s, pieces of %d: %d commands, fault %q", c.name, size, len(got), fault)
			}
		}
	}
}

// TestGuardLimitsUnfinishedArgument: MaxBuffered counts what has come, not only what
// is complete, also where an argument is read straight to where it is kept.
func TestGuardLimitsUnfinishedArgument(t *testing.T) {
	stalled := errors.New("stalled")
	in := []byte("*1\r\n$1000000\r\n" + strings.Repeat("a", 100000))
	for sent, want := range map[int]error{50000: stalled, 50001: errCommandTooBig(50000)} {
		g := NewGuard(&pieces{data: in[:sent], next: always(1 << 20), err: stalled}, Limits{MaxBuffered: 50000})
		if _, err := g.Read(make([]byte, 4096)); !reflect.DeepEqual(err, want) {
			t.Errorf("%d bytes: %v", sent, err)
		}
	}
}

func TestGuardUnauthenticated(t *testing.T) {
	eleven := "*11\r\n" + strings.Repeat("$1\r\na\r\n", 11)
	long := "*1\r\n$16385\r\n" + strings.Repeat("a", 16385) + "\r\n"
	auth := "*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n"
	for _, c := range []struct {
		name, in string
		commands int
		fault    string
	}{
		{"ten", "*10\r\n" + strings.Repeat("$1\r\na\r\n", 10), 1, ""},
		{"eleven", eleven, 0, "Protocol error: unauthenticated multibulk length"},
		{"long", long, 0, "Protocol error: unauthenticated bulk length"},
		{"inline is not limited", strings.Repeat("a ", 20) + "\n", 1, ""},
		{"other before", "PING\n" + eleven, 1, "Protocol error: unauthenticated multibulk length"},
		{"eleven after AUTH", auth + eleven + long, 3, ""},
		{"long after AUTH", auth + long + eleven + "PING\r\n", 4, ""},
		{"after inline AUTH", "AUTH p\r\n" + long + eleven + "PING\r\n", 4, ""},
	} {
		for _, size := range []int{1, 1000, 1 << 20} {
			g := NewGuard(&pieces{data: []byte(c.in), next: always(size)}, DefaultLimits())
			g.SetUnauthenticated(true)
			got, err := drain(g)
			if fault := faultOf(t, err); fault != c.fault || len(got) != c.commands {
				t.Errorf("%s, pieces of %d: %d commands, fault %q", c.name, size, len(got), fault)
			}
		}
	}
}

// TestGuardEqualsReference sends random commands, faults and noise in random pieces.
func TestGuardEqualsReference(t *testing.T) {
	parts := []string{"*1\r\n$4\r\nPING\r\n", "PING\r\n", "*0\r\n", "\r\n", "ECHO \"a\\x00b\" 'c'\n", "*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n",
		"*1\rx$4\ryPINGzz", "*2\r\n$3\r\nGET\r\n$20\r\n01234567890123456789\r\n", "*1\r\n$20000\r\n" + strings.Repeat("v", 20000) + "\r\n",
		"AUTH x\r\n", "*300\r\n" + strings.Repeat("$1\r\na\r\n", 300), "*1\r\n$300000\r\n" + strings.Repeat("w", 300000) + "\r\n",
		placeholder, "*1\r\n$24\r\n" + strings.Repeat("x", 24) + "\r\n", "'" + placeholderArg + "'\r\n"}
	seed := uint64(time.Now().UnixNano())
	for round := range 400 {
		pick := random(seed + uint64(round))
		var in strings.Builder
		for range 1 + pick()%40 {
			in.WriteString(parts[pick()%len(parts)])
		}
		data := []byte(in.String())
		if pick()%3 == 0 { // noise
			data[pick()%len(data)] = byte(pick())
		}
		limits := DefaultLimits()
		if round%3 == 0 {
			limits.MaxInPlace = 1 + int64(pick()%200)
		}
		compare(t, data, seed, round%2 == 0, limits)
	}
}

// compare lets the Guard and the reference parse data.
func compare(t *testing.T, data []byte, seed uint64, unauth bool, limits Limits) {
	t.Helper()
	limits = limits.orDefaults()
	want, wantFault := (&reference{in: string(data), limits: limits, unauth: unauth}).run()
	for i, next := range []func() int{always(1 << 20), random(seed), always(1 << 20), random(seed)} {
		limits.Budget = NewBudget(64 << 20)
		g := NewGuard(&pieces{data: bytes.Clone(data), next: next}, limits)
		g.SetUnauthenticated(unauth)
		read := drain
		if i >= 2 {
			read = drainNext
		}
		got, err := read(g)
		if fault := faultOf(t, err); fault != wantFault || !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d, unauth %v, %.300q:\n got %.300q %q\nwant %.300q %q", seed, unauth, data, got, fault, want, wantFault)
		}
		_ = g.Close()
		if used := limits.Budget.Used(); used != 0 {
			t.Errorf("%d bytes of the budget were not given back", used)
		}
	}
}

func TestGuardBudget(t *testing.T) {
	budget := NewBudget(200 << 10)
	limits := Limits{Budget: budget}
	long := "*1\r\n$10000000\r\n" + strings.Repeat("a", 200<<10)
	stalled := errors.New("stalled")
	p := make([]byte, 4096)
	first := NewGuard(&pieces{data: []byte(long), next: always(1 << 20), err: stalled}, limits)
	if _, err := first.Read(p); err != stalled {
		t.Fatal(err)
	}
	if got := first.Buffered(); got != len(long) {
		t.Errorf("Buffered is %d", got)
	}
	if used := budget.Used(); used < 130<<10 || used > 220<<10 {
		t.Errorf("%d bytes are used", used)
	}
	second := NewGuard(&pieces{data: []byte(long), next: always(1 << 20), err: stalled}, limits)
	if _, err := second.Read(p); err != errBudget {
		t.Fatal(err)
	}
	if got := second.Buffered(); got != 0 {
		t.Errorf("Buffered is %d after a fault", got)
	}
	short := NewGuard(&pieces{data: []byte(long[:60<<10]), next: always(1 << 20), err: stalled}, limits)
	if _, err := short.Read(p); err != stalled {
		t.Errorf("a client with little is refused: %v", err)
	}
	for _, g := range []*Guard{first, second, short} {
		_ = g.Close()
		if got := g.Buffered(); got != 0 {
			t.Errorf("Buffered is %d after Close", got)
		}
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes were not given back", used)
	}
}

// TestGuardStalledClients is the attack of many who announce much and send nothing.
func TestGuardStalledClients(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var guards []*Guard
	stalled := errors.New("stalled")
	p := make([]byte, 4096)
	for range 300 {
		g := NewGuard(&pieces{data: []byte("*1000000\r\n$400000000\r\nabc"), next: always(1 << 20), err: stalled}, DefaultLimits())
		if _, err := g.Read(p); err != stalled {
			t.Fatal(err)
		}
		guards = append(guards, g)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 5<<20 {
		t.Errorf("300 stalled clients occupy %d bytes", grown)
	}
	runtime.KeepAlive(guards)
}

// TestGuardIsLinear would take hours if bytes were looked at again for each piece.
func TestGuardIsLinear(t *testing.T) {
	in := "*100000\r\n" + strings.Repeat("$10\r\n0123456789\r\n", 100000)
	for _, size := range []int{1, 4096} {
		start := time.Now()
		got, err := drain(NewGuard(&pieces{data: []byte(in), next: always(size)}, DefaultLimits()))
		if err != io.EOF || len(got) != 1 || len(got[0]) != 100000 {
			t.Fatal(len(got), err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("pieces of %d: %v", size, took)
		}
	}
}

// TestGuardGivesMemoryBack closes from another goroutine while Read waits.
func TestGuardGivesMemoryBack(t *testing.T) {
	budget := NewBudget(1 << 20)
	for range 100 {
		server, client := net.Pipe()
		g := NewGuard(server, Limits{Budget: budget})
		ended := make(chan error)
		go func() {
			_, err := g.Read(make([]byte, 4096))
			ended <- err
		}()
		if _, err := client.Write([]byte("*1\r\n$10000000\r\n" + strings.Repeat("a", 100<<10))); err != nil {
			t.Fatal(err)
		}
		_ = g.Close()
		if err := <-ended; err == nil {
			t.Fatal("Read returned no error")
		}
		if _, err := g.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		_ = client.Close()
		if used := budget.Used(); used != 0 || g.Buffered() != 0 {
			t.Fatalf("%d bytes were not given back, Buffered is %d", used, g.Buffered())
		}
	}
}

// TestGuardReadDeadline: an error of the connection in mid-command is not the end.
func TestGuardReadDeadline(t *testing.T) {
	conn := &pieces{data: []byte("PING\r\n*1\r\n$4\r\nPI"), next: always(100), err: os.ErrDeadlineExceeded}
	g := NewGuard(conn, DefaultLimits())
	p := make([]byte, 4096)
	if n, err := g.Read(p); err != nil || string(p[:n]) != "*1\r\n$4\r\nPING\r\n" {
		t.Fatalf("%q, %v", p[:n], err)
	}
	if got := g.Buffered(); got != len("*1\r\n$4\r\nPI") {
		t.Errorf("Buffered is %d", got)
	}
	if _, err := g.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	conn.data = []byte("NG\r\n")
	if n, err := g.Read(p); err != nil || string(p[:n]) != "*1\r\n$4\r\nPING\r\n" {
		t.Fatalf("%q, %v", p[:n], err)
	}
	if got := g.Buffered(); got != 0 {
		t.Errorf("Buffered is %d", got)
	}
}

// writes counts writes.
type writes struct {
	net.Conn
	count, bytes int
}

func (w *writes) Write(p []byte) (int, error) {
	w.count++
	w.bytes += len(p)
	return len(p), nil
}

func TestGuardWritesNothingForNothing(t *testing.T) {
	w := &writes{}
	g := NewGuard(w, DefaultLimits())
	for _, p := range [][]byte{nil, {}, []byte("+OK\r\n")} {
		if n, err := g.Write(p); n != len(p) || err != nil {
			t.Errorf("%q: %d, %v", p, n, err)
		}
	}
	if w.count != 1 || w.bytes != 5 || g.NetConn() != net.Conn(w) {
		t.Errorf("%d writes of %d bytes", w.count, w.bytes)
	}
}
