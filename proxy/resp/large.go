package resp

// placeholder is what the Guard hands out in place of a large command. A client
// may well send the same bytes; it gains nothing by it. What keeps the two apart
// is no secret but that the Guard hands out no command of one argument as long as
// the placeholder's where it stands: such a command counts as large, whatever its
// size, and goes the same way. So there are exactly as many placeholders in what
// Read hands out as there are commands to take, in the same order.
const (
	placeholderArg = "steadis: a large command"
	placeholder    = "*1\r\n$24\r\n" + placeholderArg + "\r\n"
)

// likePlaceholder says whether a whole command that begins with b, size bytes
// long, has one argument as long as the placeholder's.
func likePlaceholder(b []byte, size int) bool {
	return size == len(placeholder) && b[1] == '1' && b[2] == '\r'
}

// firstLarge is the memory that a large command gets at first, if it needs as much.
const firstLarge = 8 << 10

// large keeps large commands out of the stream that redcon parses: the one under
// way, in one piece of memory that about doubles as its bytes arrive, and the whole
// ones until they are taken. Not safe for concurrent use.
type large struct {
	raw     []byte   // the command under way; nil if it is none of these
	whole   [][]byte // oldest first
	account *account // what the capacities of all of them count in
}

// underWay says whether the command under way is large.
func (l *large) underWay() bool { return l.raw != nil }

// room makes room for n bytes of the command under way, or says false if the
// budget does not allow the memory. most is how many bytes are still to come; 0
// means that nobody knows.
func (l *large) room(n, most int64) bool {
	have, size := int64(cap(l.raw)), int64(len(l.raw))
	if have-size >= n {
		return true
	}
	want := max(2*have, firstLarge)
	// A little more than the double saves values of 2^n bytes a last copy.
	if most > 0 && size+most <= want+firstLarge {
		want = size + most
	}
	want = max(want, size+n)
	if !l.account.grow(want - have) {
		return false
	}
	raw := make([]byte, size, want)
	copy(raw, l.raw)
	l.raw = raw
	return true
}

// split takes all behind the first n bytes away from the command under way, and returns it.
func (l *large) split(n int64) []byte {
	head, rest := append(make([]byte, 0, n), l.raw[:n]...), l.raw[n:]
	l.account.shrink(int64(cap(l.raw) - cap(head)))
	l.raw = head
	return rest
}

// end puts the command under way behind those that are whole. Memory that it does
// not need it keeps only as far as a copy would cost more than it saves.
func (l *large) end() {
	raw := l.raw
	l.raw = nil
	if spare := cap(raw) - len(raw); spare > len(raw)/8+64 {
		l.account.shrink(int64(spare))
		raw = append(make([]byte, 0, len(raw)), raw...)
	}
	l.whole = append(l.whole, raw)
}

// take returns the oldest whole command, or nil. Its memory is the caller's.
func (l *large) take() []byte {
	if len(l.whole) == 0 {
		return nil
	}
	raw := l.whole[0]
	l.account.shrink(int64(cap(raw)))
	l.whole[0] = nil
	l.whole = l.whole[1:]
	if len(l.whole) == 0 {
		l.whole = nil
	}
	return raw
}

// forget drops the command under way.
func (l *large) forget() {
	l.account.shrink(int64(cap(l.raw)))
	l.raw = nil
}
