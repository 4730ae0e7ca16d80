package resp

import "sync"

// Sizes of chunks: small ones until a client has sent enough to deserve a large
// one, so that many clients which send little and stall cost little.
const (
	smallChunk  = 4 << 10
	largeChunk  = 64 << 10
	largeFrom   = 16 << 10
	chunkPieces = 2 // size classes
)

// chunk is a piece of a chunks list. buf[r:w] is what it holds.
type chunk struct {
	next *chunk
	buf  []byte
	r, w int
}

// chunkPools keep chunks that no list uses, by size class.
var chunkPools = [chunkPieces]sync.Pool{
	{New: func() any { return &chunk{buf: make([]byte, smallChunk)} }},
	{New: func() any { return &chunk{buf: make([]byte, largeChunk)} }},
}

// chunks is a queue of bytes in pieces. Bytes are appended at its tail, never
// moved, and their memory is given back as they are taken from its head. It is
// empty, and holds no memory, as a zero value. Not safe for concurrent use.
type chunks struct {
	head, tail *chunk
	held       int64 // bytes between head and tail
	memory     int64 // size of all its chunks
	budget     *Budget
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
	if c.tail == nil || c.tail.w == len(c.tail.buf) {
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
	class, size := 0, int64(smallChunk)
	if c.held >= largeFrom {
		class, size = 1, largeChunk
	}
	if !c.budget.reserve(beyondFree(c.memory+size) - beyondFree(c.memory)) {
		return false
	}
	c.memory += size
	next := chunkPools[class].Get().(*chunk)
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

// drop gives the head back, which has nothing left to take.
func (c *chunks) drop() {
	h := c.head
	c.head = h.next
	if c.head == nil {
		c.tail = nil
	}
	size := int64(len(h.buf))
	c.budget.release(beyondFree(c.memory) - beyondFree(c.memory-size))
	c.memory -= size
	h.next, h.r, h.w = nil, 0, 0
	if size == largeChunk {
		chunkPools[1].Put(h)
	} else {
		chunkPools[0].Put(h)
	}
}

// free gives everything back.
func (c *chunks) free() {
	for c.head != nil {
		c.drop()
	}
	c.held = 0
}

// beyondFree is the part of memory that counts against the budget.
func beyondFree(memory int64) int64 { return max(0, memory-freeQuery) }
