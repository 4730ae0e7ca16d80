// Package ring has the one queue that the data path uses: a growing ring that
// gives its memory back when it is empty.
package ring

// keep is the capacity up to which an empty ring keeps its memory. A client
// that pipelines little should not allocate anew for each batch.
const keep = 256

// Ring is a first-in, first-out queue with access by position. The zero value is
// an empty ring. It is not safe for concurrent use.
type Ring[T any] struct {
	buf  []T // len(buf) is zero or a power of two
	head int
	n    int
	busy int // what Busy was told
	most int // elements since it was empty last
}

// Busy says that the ring is emptied and filled again all the time: then it keeps memory for
// up to n elements, as long as it is needed.
func (r *Ring[T]) Busy(n int) { r.busy = n }

// Len returns how many elements are queued.
func (r *Ring[T]) Len() int { return r.n }

// Push adds v at the end.
func (r *Ring[T]) Push(v T) {
	if r.n == len(r.buf) {
		r.grow()
	}
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = v
	r.n++
	r.most = max(r.most, r.n)
}

// At returns a pointer to the i-th element from the front. It is valid until the
// next Push, Pop or PopBack; i must be less than Len.
func (r *Ring[T]) At(i int) *T { return &r.buf[(r.head+i)&(len(r.buf)-1)] }

// Pop removes and returns the first element; Len must not be zero.
func (r *Ring[T]) Pop() T {
	var zero T
	p := &r.buf[r.head]
	v := *p
	*p = zero
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	r.shrink()
	return v
}

// PopBack removes and returns the last element; Len must not be zero.
func (r *Ring[T]) PopBack() T {
	var zero T
	p := r.At(r.n - 1)
	v := *p
	*p = zero
	r.n--
	r.shrink()
	return v
}

// Truncate removes all but the first n elements, of which there must be as many, and gives
// the memory of most of the others back.
func (r *Ring[T]) Truncate(n int) {
	for r.n > n {
		r.PopBack()
	}
	size := len(r.buf)
	for size > keep && size/4 >= n {
		size /= 2
	}
	if size < len(r.buf) {
		r.resize(size)
	}
}

func (r *Ring[T]) shrink() {
	if r.n > 0 {
		return
	}
	r.head = 0
	if len(r.buf) > keep && (len(r.buf) > r.busy || r.most <= len(r.buf)/4) {
		r.buf = nil
	}
	r.most = 0
}

func (r *Ring[T]) grow() { r.resize(max(4, 2*len(r.buf))) }

// resize makes room for size elements, a power of two and enough for those that there are.
func (r *Ring[T]) resize(size int) {
	buf := make([]T, size)
	for i := range r.n {
		buf[i] = *r.At(i)
	}
	r.buf, r.head = buf, 0
}
