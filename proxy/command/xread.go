package command

// xread is where XREAD and XREADGROUP have what the proxy must know, as indices of
// their arguments; 0: not there.
type xread struct {
	block   int // the timeout after BLOCK
	streams int // the first key after STREAMS
}

// parseXRead reads the options as Redis 7.0 t_stream.c xreadCommand does, up to the
// first that it does not know. Of several BLOCKs the last counts.
func parseXRead(args [][]byte) (x xread) {
	for i := 1; i < len(args); i++ {
		more := len(args) - i - 1
		switch {
		case is(args[i], "block") && more > 0:
			i++
			x.block = i
		case is(args[i], "count") && more > 0:
			i++
		case is(args[i], "claim") && more > 0: // XREADGROUP of Redis 8.4
			i++
		case is(args[i], "group") && more > 1:
			i += 2
		case is(args[i], "noack"):
		case is(args[i], "streams") && more > 0:
			x.streams = i + 1
			return x
		default:
			return x
		}
	}
	return x
}

// hasBlock says whether XREAD or XREADGROUP asks to wait.
func hasBlock(args [][]byte) bool { return parseXRead(args).block > 0 }

// LastIDs returns the indices of the `$` ids of an XREAD. `$` means the last entry
// at the moment when Redis looks: who sends the command again must replace it by
// the id that it meant the first time, or entries in between are missed. nil if
// there is none.
func LastIDs(args [][]byte) []int {
	first := parseXRead(args).streams
	if first == 0 || (len(args)-first)%2 != 0 {
		return nil
	}
	var at []int
	for i := first + (len(args)-first)/2; i < len(args); i++ {
		if string(args[i]) == "$" {
			at = append(at, i)
		}
	}
	return at
}

// StreamCount returns how many streams an XREAD names: the key of the id at index i is
// at i minus that. 0 if the arguments are wrong.
func StreamCount(args [][]byte) int {
	first := parseXRead(args).streams
	if first == 0 || (len(args)-first)%2 != 0 {
		return 0
	}
	return (len(args) - first) / 2
}

// Is compares without regard to the case of ASCII letters, as Redis does; word is in
// lower case.
func Is(arg []byte, word string) bool { return is(arg, word) }

// is compares without regard to case; word is in lower case.
func is(arg []byte, word string) bool {
	if len(arg) != len(word) {
		return false
	}
	for i, c := range arg {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// without says that none of args after the key is one of words. A word may stand
// there as data too; then the command merely counts as a write.
func without(words ...string) func(args [][]byte) bool {
	return func(args [][]byte) bool {
		for _, arg := range args[min(2, len(args)):] {
			for _, w := range words {
				if is(arg, w) {
					return false
				}
			}
		}
		return true
	}
}

// onlyKey says that there is nothing after the key.
func onlyKey(args [][]byte) bool { return len(args) == 2 }
