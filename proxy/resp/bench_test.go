package resp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/tidwall/redcon"
)

// endless gives the same data for ever, in reads of at most max bytes.
type endless struct {
	net.Conn
	data []byte
	at   int
	max  int
}

func (c *endless) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), c.max)], c.data[c.at:])
	if c.at += n; c.at == len(c.data) {
		c.at = 0
	}
	return n, nil
}

// kept is the memory of a reader who keeps it, as proxy's clients share theirs.
type kept struct {
	conn  net.Conn
	bytes []byte
	found Found
}

func newKept(conn net.Conn) *kept { return &kept{conn: conn, bytes: make([]byte, 4096)} }

func (m *kept) Size() int                 { return len(m.bytes) }
func (m *kept) Bytes() []byte             { return m.bytes }
func (m *kept) Fill(off int) (int, error) { return m.conn.Read(m.bytes[off:]) }
func (m *kept) Wait() error               { return nil }
func (m *kept) Found() *Found             { return &m.found }

var set64 = AppendCommand(nil, "SET", "key:000000012345", strings.Repeat("v", 64))

// TestGuardDoesNotAllocate: neither when commands arrive whole, nor when each read
// ends within one.
func TestGuardDoesNotAllocate(t *testing.T) {
	for name, conn := range map[string]*endless{
		"whole":    {data: bytes.Repeat(set64, 10), max: 1 << 20},
		"in parts": {data: bytes.Repeat(set64, 100), max: 997},
		"one byte": {data: set64, max: 1},
	} {
		g, m := NewGuard(conn, DefaultLimits()), newKept(conn)
		read := func() {
			if _, _, err := g.Next(m); err != nil {
				t.Fatal(err)
			}
		}
		read()
		if n := testing.AllocsPerRun(1000, read); n != 0 {
			t.Errorf("%s: %v allocations a call of Next", name, n)
		}
	}
}

func BenchmarkGuard(b *testing.B) {
	for _, c := range []struct {
		name     string
		commands int
		max      int
	}{{"P1", 1, 1 << 20}, {"P16", 16, 1 << 20}, {"stream", 1000, 1 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			data := bytes.Repeat(set64, c.commands)
			conn := &endless{data: data, max: c.max}
			g, m := NewGuard(conn, DefaultLimits()), newKept(conn)
			b.SetBytes(int64(len(set64)))
			b.ReportAllocs()
			for have := 0; b.Loop(); have -= len(set64) { // an operation is a command
				for have < len(set64) {
					p, _, err := g.Next(m)
					if err != nil {
						b.Fatal(err)
					}
					have += len(p)
				}
			}
		})
	}
}

// BenchmarkRedconReader is in pairs: redcon's reader alone and behind the Guard.
func BenchmarkRedconReader(b *testing.B) {
	for _, commands := range []int{1, 16} {
		for _, guarded := range []bool{false, true} {
			b.Run(fmt.Sprintf("P%d/guarded=%v", commands, guarded), func(b *testing.B) {
				var conn net.Conn = &endless{data: bytes.Repeat(set64, commands), max: 1 << 20}
				if guarded {
					conn = NewGuard(conn, DefaultLimits())
				}
				rd := redcon.NewReader(conn)
				b.ReportAllocs()
				for have := 0; b.Loop(); have-- {
					for have == 0 {
						cmds, err := rd.ReadCommands()
						if err != nil {
							b.Fatal(err)
						}
						have = len(cmds)
					}
				}
			})
		}
	}
}

// BenchmarkGuardLongCommand is the honest command of 100,000 arguments.
func BenchmarkGuardLongCommand(b *testing.B) {
	in := []byte("*100000\r\n" + strings.Repeat("$10\r\n0123456789\r\n", 100000))
	for _, size := range []int{1, 4096, 1 << 20} {
		b.Run(fmt.Sprintf("pieces of %d", size), func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			end := errors.New("end")
			for b.Loop() {
				g := NewGuard(&pieces{data: in, next: always(size), err: end}, DefaultLimits())
				cmds, err := redcon.NewReader(g).ReadCommands()
				if err != nil || len(cmds) != 1 {
					b.Fatal(err)
				}
				if _, args, _, _ := g.TakeLarge(cmds[0].Args); len(args) != 100000 {
					b.Fatal(len(args))
				}
			}
		})
	}
}

var replies = map[string][]byte{
	"OK":     []byte("+OK\r\n"),
	"int":    []byte(":12345\r\n"),
	"bulk64": []byte("$64\r\n" + strings.Repeat("v", 64) + "\r\n"),
	"null":   []byte("$-1\r\n"),
	"array":  []byte("*10\r\n" + strings.Repeat("$10\r\n0123456789\r\n", 10)),
	"map":    []byte("%3\r\n" + strings.Repeat("$10\r\n0123456789\r\n:1\r\n", 3)),
}

// TestScannerDoesNotAllocate: neither for whole replies nor for pieces of them.
func TestScannerDoesNotAllocate(t *testing.T) {
	for name, frame := range replies {
		var s Scanner
		if n := testing.AllocsPerRun(1000, func() {
			if n, done, err := s.Scan(frame); n != len(frame) || !done || err != nil {
				t.Fatal(n, done, err)
			}
			for _, c := range [][]byte{frame[:2], frame[2 : len(frame)-1], frame[len(frame)-1:]} {
				if _, _, err := s.Scan(c); err != nil {
					t.Fatal(err)
				}
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkScanner(b *testing.B) {
	for name, frame := range replies {
		b.Run(name, func(b *testing.B) {
			var s Scanner
			data := bytes.Repeat(frame, 100) // an operation is a frame among others
			rest := data
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				n, _, err := s.Scan(rest)
				if err != nil {
					b.Fatal(err)
				}
				if rest = rest[n:]; len(rest) == 0 {
					rest = data
				}
			}
		})
	}
}
