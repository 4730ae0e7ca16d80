package resp

import "sync/atomic"

// What each client may hold of commands before its bytes count against the Budget, and the
// least that it can be made to be.
const (
	freeQuery      = 64 << 10
	leastFreeQuery = 1 << 10
)

// Budget bounds the memory that commands of all clients occupy in their Guards:
// unfinished ones and long ones that wait to be taken, beyond the first 64 KiB of
// each client, or what WithFree says. One Budget is shared by all Guards through Limits. Its methods may
// be called concurrently.
type Budget struct {
	limit atomic.Int64
	free  int64
	used  atomic.Int64
}

// NewBudget returns a Budget of limit bytes.
func NewBudget(limit int64) *Budget {
	b := &Budget{free: freeQuery}
	b.SetLimit(limit)
	return b
}

// SetLimit changes what may be occupied at most. What is occupied stays so.
func (b *Budget) SetLimit(limit int64) { b.limit.Store(limit) }

// WithFree sets how many bytes of each client do not count, from 1 to 64 KiB, and returns b.
// It is to be called before b is used.
func (b *Budget) WithFree(n int64) *Budget {
	b.free = min(max(n, leastFreeQuery), freeQuery)
	return b
}

// Used returns the bytes that are occupied now.
func (b *Budget) Used() int64 { return b.used.Load() }

// Limit returns the bytes that may be occupied at most.
func (b *Budget) Limit() int64 { return b.limit.Load() }

// reserve takes n bytes, or none and says false. A nil Budget has no bound.
func (b *Budget) reserve(n int64) bool {
	if b == nil || n <= 0 {
		return true
	}
	if b.used.Add(n) > b.limit.Load() {
		b.used.Add(-n)
		return false
	}
	return true
}

// release gives back n bytes that reserve took.
func (b *Budget) release(n int64) {
	if b != nil && n > 0 {
		b.used.Add(-n)
	}
}

// account is what one client holds. Not safe for concurrent use.
type account struct {
	budget *Budget
	memory int64 // bytes allocated
}

// grow adds n bytes, or says false if the budget does not allow them.
func (a *account) grow(n int64) bool {
	if !a.budget.reserve(a.budget.beyondFree(a.memory+n) - a.budget.beyondFree(a.memory)) {
		return false
	}
	a.memory += n
	return true
}

// shrink takes n bytes off.
func (a *account) shrink(n int64) {
	a.budget.release(a.budget.beyondFree(a.memory) - a.budget.beyondFree(a.memory-n))
	a.memory -= n
}

// beyondFree is the part of memory that counts against the budget.
func (b *Budget) beyondFree(memory int64) int64 {
	if b == nil {
		return 0
	}
	return max(0, memory-b.free)
}
