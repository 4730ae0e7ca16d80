package resp

import "sync"

// chunkSize is small, so that many clients which send little and stall cost little.
const chunkSize = 4 << 10

// chunk is a piece of a chunks list. buf[r:w] is what it holds.
type chunk struct {
	next *chunk
	r, w int
	buf  [chunkSize]byte
}

// chunkPool keeps chunks that no list uses.
var chunkPool = sync.Pool{New: func() any { return new(chunk) }}

// chunks is a queue of bytes in pieces. Bytes are appended at its tail, never
// moved, and their memory is given back as they are taken from its head. It is
// empty, and holds no memory, without a chunk. Not safe for concurrent use.
type chunks struct {
	head, tail *chunk
	held       int64    // bytes between head and tail
	account    *account // what its chunks count in
}

// append adds b, or says false if the budget does not allow the memory.
func (c *chunks) append(b []byte) bool {
	for len(b) > 0 {
		free := c.space()
		if free == nil {
			return false
		}
		n := copy(free, b)
		c.wrote(n)
		b = b[n:]
	}
	return true
}

// space returns free memory at the tail, to be filled and then told to wrote. It
// is nil if the budget allows no more memory.
func (c *chunks) space() []byte {
	if c.tail == nil || c.tail.w == chunkSize {
		if !c.grow() {
			return nil
		}
	}
	return c.tail.buf[c.tail.w:]
}

// wrote says that n bytes of space are filled.
func (c *chunks) wrote(n int) {
	c.tail.w += n
	c.held += int64(n)
}

// grow adds a chunk at the tail, if the budget allows it.
func (c *chunks) grow() bool {
	if !c.account.grow(chunkSize) {
		return false
	}
	next := chunkPool.Get().(*chunk)
	if c.tail == nil {
		c.head = next
	} else {
		c.tail.next = next
	}
	c.tail = next
	return true
}

// take moves the first bytes to p, at most limit of them, and returns how many.
func (c *chunks) take(p []byte, limit int64) int {
	if int64(len(p)) > limit {
		p = p[:limit]
	}
	n := 0
	for n < len(p) {
		h := c.head
		m := copy(p[n:], h.buf[h.r:h.w])
		n += m
		h.r += m
		c.held -= int64(m)
		if h.r == h.w {
			c.drop()
		}
	}
	return n
}

// cut takes all but the first keep bytes away and appends them to dst.
func (c *chunks) cut(keep int64, dst []byte) []byte {
	var last *chunk
	h := c.head
	for left := keep; h != nil && left > 0; h = h.next {
		last = h
		if have := int64(h.w - h.r); have > left {
			dst = append(dst, h.buf[h.r+int(left):h.w]...)
			h.w = h.r + int(left)
			left = 0
		} else {
			left -= have
		}
	}
	c.held, c.tail = keep, last
	if last == nil {
		c.head = nil
	} else {
		last.next = nil
	}
	for h != nil {
		next := h.next
		dst = append(dst, h.buf[h.r:h.w]...)
		c.giveBack(h)
		h = next
	}
	return dst
}

// drop gives the head back, which has nothing left to take.
func (c *chunks) drop() {
	h := c.head
	c.head = h.next
	if c.head == nil {
		c.tail = nil
	}
	c.giveBack(h)
}

// giveBack returns to the pool a chunk that is out of the list.
func (c *chunks) giveBack(h *chunk) {
	c.account.shrink(chunkSize)
	h.next, h.r, h.w = nil, 0, 0
	chunkPool.Put(h)
}

// free gives everything back.
func (c *chunks) free() {
	for c.head != nil {
		c.drop()
	}
	c.held = 0
}
