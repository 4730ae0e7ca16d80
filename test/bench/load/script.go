package load

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Keys is the number of keys that scripts use, by the names that redis-benchmark -r
// gives them.
const Keys = 1000

// Script is what the connections send: the requests in turn, each one or more
// commands in one piece.
type Script struct {
	requests [][]byte
	commands int // of each request, each with one reply
}

// Key is the name of one of the keys; it fills 12 digits as redis-benchmark does.
func Key(n int) string { return fmt.Sprintf("key:%012d", n) }

// Command gives a command as it goes over the wire.
func Command(args ...string) []byte {
	out := []byte("*" + strconv.Itoa(len(args)) + "\r\n")
	for _, arg := range args {
		out = fmt.Appendf(out, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return out
}

// Get is a script of GETs of all keys.
func Get() Script {
	return scriptOf(Keys, 1, func(n int) []byte { return Command("GET", Key(n)) })
}

// setBytes bounds the memory of a script of SETs.
const setBytes = 32 << 20

// Set is a script of SETs to values of size bytes: of all keys, or of as many as fit
// into setBytes.
func Set(size int) Script {
	value := strings.Repeat("x", size)
	keys := max(1, min(Keys, setBytes/max(1, size)))
	return scriptOf(keys, 1, func(n int) []byte { return Command("SET", Key(n), value) })
}

// Transaction is a script of MULTI, sets times SET of 16 bytes, EXEC, in one piece.
func Transaction(sets int) Script {
	return scriptOf(Keys, sets+2, func(n int) []byte {
		parts := [][]byte{Command("MULTI")}
		for i := range sets {
			parts = append(parts, Command("SET", Key((n+i)%Keys), "0123456789abcdef"))
		}
		return bytes.Join(append(parts, Command("EXEC")), nil)
	})
}

// scriptOf makes requests of so many commands each for the first keys, not in their order.
func scriptOf(keys, commands int, request func(n int) []byte) Script {
	s := Script{commands: commands}
	for n := range keys {
		s.requests = append(s.requests, request(n))
	}
	shuffled := rand.New(rand.NewPCG(1, 2)) // the same in each run
	shuffled.Shuffle(len(s.requests), func(i, j int) { s.requests[i], s.requests[j] = s.requests[j], s.requests[i] })
	return s
}

// next gives the nth request of a load.
func (s Script) next(n int) []byte { return s.requests[n%len(s.requests)] }
