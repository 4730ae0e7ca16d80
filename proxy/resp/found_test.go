package resp

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// What Next says it has found is what is there: the same commands and arguments as whoever
// looks again finds.
func TestNextFindsCommands(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noted := 0
	for range 300 {
		var in []byte
		for range 1 + random.IntN(40) {
			args := []string{"SET", "key"}
			for range random.IntN(4) {
				args = append(args, string(bytes.Repeat([]byte{'v'}, random.IntN(1+random.IntN(200)))))
			}
			switch random.IntN(10) {
			case 0:
				in = append(in, "PING\r\n"...)
			case 1: // a large one
				in = AppendCommand(in, "SET", "key", string(bytes.Repeat([]byte{'l'}, 600)))
			default:
				in = AppendCommand(in, args...)
			}
		}
		conn := &pieces{data: in, next: func() int { return 1 + random.IntN(500) }}
		limits := DefaultLimits()
		limits.MaxInPlace = 512
		g, m := NewGuard(conn, limits), newKept(conn)
		for {
			b, found, err := g.Next(m)
			if err != nil {
				break
			}
			if found == nil {
				continue
			}
			noted += len(found.Commands)
			sameAsSplit(t, b, found)
		}
	}
	if noted < 1000 {
		t.Errorf("only %d commands were noted", noted)
	}
}

func sameAsSplit(t *testing.T, b []byte, found *Found) {
	t.Helper()
	commands, args, end := CountCommands(b)
	if commands != len(found.Commands) || args > len(found.Args) || end != len(b) {
		t.Fatalf("found %d commands and %d arguments, there are %d and %d in %d of %d bytes",
			len(found.Commands), len(found.Args), commands, args, end, len(b))
	}
	spans := found.Args
	for _, c := range found.Commands {
		want, n := AppendArgs(nil, b)
		var got [][]byte
		for _, a := range spans[:c.B] {
			got = append(got, argument(b, a, c, n))
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("found %q, there are %q", got, want)
		}
		spans, b = spans[c.B:], b[n:]
	}
}

// argument gives an argument by its place in the memory of which b, whose first command ends at n and
// at c in the memory, is the rest.
func argument(b []byte, a, c Extent, n int) []byte {
	shift := int(c.A) - n
	return b[int(a.A)-shift : int(a.B)-shift]
}
