package resp

import (
	"bytes"
	"reflect"
	"testing"
)

// smallLimits bring the limits within a fuzzer's reach.
var smallLimits = Limits{MaxBulk: 40, MaxArgs: 12, MaxInline: 24, MaxBuffered: 120}

// FuzzGuard seeks input for which the Guard, read by redcon in any pieces, gives
// other commands or another error than the reference, or makes redcon fail or panic.
// Bit 0 of mode: not authenticated; bit 1: small limits; bit 2: most commands are
// large, the bits above saying from which size on. Further seeds, one for each code
// path, are in testdata/fuzz/FuzzGuard, named for it.
func FuzzGuard(f *testing.F) {
	f.Add([]byte("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), uint64(1), uint8(0))                                                                                                              // whole canonical commands: straight through
	f.Add([]byte("*1\r\n$4\r\nPING\r\nPING\r\n\r\n*0\r\n*1\rx$4\rxPINGxx"), uint64(2), uint8(0))                                                                                                          // all that must be made canonical
	f.Add([]byte("ECHO \"\\x41\\n\\\"\" 'a\\'b' c\"d\"\r\n"), uint64(3), uint8(0))                                                                                                                        // all that inline quotes know
	f.Add([]byte("AUTH x\r\n*11\r\n$1\r\na\r\n"), uint64(4), uint8(1))                                                                                                                                    // blocked until AUTH is handled
	f.Add([]byte("*3\r\n$40\r\n0123456789012345678901234567890123456789\r\n$40\r\n0123456789012345678901234567890123456789\r\n$40\r\n0123456789012345678901234567890123456789\r\n"), uint64(5), uint8(2)) // MaxBuffered
	f.Add([]byte("*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$9\r\n012345678\r\n*1\r\n$4\r\nPING\r\n"), uint64(6), uint8(4|5<<3))                                                                            // a large command among small ones
	f.Add([]byte(placeholder+"'"+placeholderArg+"'\n*2\r\n$1\r\na\r\n$9\r\n012345678\r\n"+placeholder), uint64(7), uint8(4|5<<3))                                                                         // what stands for a large command, from a client
	f.Add([]byte("*3\r\n$1\r\na\r\n$5\r\n01234\r\n$9\r\n01234"), uint64(8), uint8(4))                                                                                                                     // a large command that does not end
	f.Add([]byte("*2\r\n$1\r\na\r\n$5\r\n01234\r\n*1\r\n!\r\n"), uint64(9), uint8(4))                                                                                                                     // a fault behind a large command
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, mode uint8) {
		limits := DefaultLimits()
		if mode&2 != 0 {
			limits = smallLimits
		}
		if mode&4 != 0 {
			limits.MaxInPlace = 1 + 4*int64(mode>>3)
		}
		compare(t, data, seed, mode&1 != 0, limits)
	})
}

// FuzzScanner seeks input whose frames the Scanner ends elsewhere than the reference
// does, or ends differently for different pieces. Further seeds, one for each code
// path, are in testdata/fuzz/FuzzScanner, named for it.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("+OK\r\n:1\r\n-ERR x\r\n$3\r\nabc\r\n$-1\r\n"), uint64(1))             // what most replies are
	f.Add([]byte("*2\r\n%1\r\n+a\r\n~1\r\n_\r\n>1\r\n#t\r\n"), uint64(2))               // nested aggregates
	f.Add([]byte("|1\r\n+ttl\r\n:3\r\n*?\r\n$?\r\n;2\r\nab\r\n;0\r\n.\r\n"), uint64(3)) // attribute and streams
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		want, wantBroken := framesOf(data)
		for _, next := range []func() int{always(1 << 30), always(1), random(seed)} {
			if got, broken := scanAll(data, next); broken != wantBroken || !reflect.DeepEqual(got, want) {
				t.Errorf("seed %d, %q: frames end at %v, broken %v; not %v, %v", seed, data, got, broken, want, wantBroken)
			}
		}
	})
}

// FuzzSplitCommand seeks input on which SplitCommand panics, or which it splits
// without it being the canonical form of the result.
func FuzzSplitCommand(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nGET\r\n$0\r\n\r\n")) // canonical
	f.Add([]byte("*1\r\n$4\r\nPINGxx"))            // no line end
	f.Fuzz(func(t *testing.T, raw []byte) {
		ErrorPrefix(raw)
		args := SplitCommand(raw)
		if args == nil {
			return
		}
		if again := AppendCommandBytes(nil, args...); !bytes.Equal(again, raw) {
			t.Errorf("%q is split into %q", raw, args)
		}
	})
}
