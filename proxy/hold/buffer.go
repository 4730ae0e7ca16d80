// Package hold is the failover buffer's book-keeping: which phase the hold is in,
// since when and why, how much may wait, and counters that add up.
//
// It promises that at every moment
//
//	held = released + refused + dropped + waiting
//
// and that no more than the configured number of commands and bytes wait. It
// costs one mutex, taken only for commands that have to wait. It does not know
// what a command is, who waits, or how to send anything: the waiting commands
// stay in their clients' own queues, in their clients' order (package proxy).
package hold

import (
	"sync"
	"sync/atomic"
	"time"
)

// Phase is the state of the hold.
//
//	Idle ──Begin──▶ Holding ──time over──▶ Out
//	  ▲               │ End                 │ End
//	  └──all sent── Draining ◀──────────────┘
//	                  └──Begin──▶ Holding
type Phase uint8

const (
	// Idle: there is a master, commands go straight through.
	Idle Phase = iota
	// Holding: no command may be sent; they wait.
	Holding
	// Draining: there is a master again and what has waited is being sent.
	Draining
	// Out: the hold time is over and there is still no master; commands are
	// refused at once.
	Out
)

// String gives the phase in the word that logs, metrics and /api/status use.
func (p Phase) String() string {
	return [...]string{"idle", "holding", "draining", "out"}[p]
}

// Refusal is why a command was refused instead of run.
type Refusal string

// The reasons for a refusal; also the values of the metric's label.
const (
	Full    Refusal = "full"    // as many commands or bytes as allowed were waiting
	Expired Refusal = "expired" // the hold time was over
	Failed  Refusal = "failed"  // Redis itself refused the connection that the command needed
	Closing Refusal = "closing" // steadis was shutting down
)

// Refusals lists every Refusal, so that each counter exists from the start.
var Refusals = []Refusal{Full, Expired, Failed, Closing}

// Limits bound what may wait.
type Limits struct {
	Window   time.Duration // longest time without a master before commands are refused
	Commands int           // commands waiting, all clients together
	Bytes    int64         // their bytes
}

// Counts is a snapshot of the counters.
type Counts struct {
	Held     uint64             `json:"held"`
	Released uint64             `json:"released"`
	Refused  map[Refusal]uint64 `json:"refused"`
	Dropped  uint64             `json:"dropped"`
	Waiting  int                `json:"waiting"`
	Bytes    int64              `json:"waiting_bytes"`
}

// Balanced says whether held = released + refused + dropped + waiting.
func (c Counts) Balanced() bool {
	sum := c.Released + c.Dropped + uint64(c.Waiting)
	for _, n := range c.Refused {
		sum += n
	}
	return c.Held == sum
}

// Outage is the hold's state at one moment.
type Outage struct {
	Phase  Phase
	Since  time.Time // when the hold began; zero while Idle
	Reason string    // why, for an operator
}

// Buffer is the book-keeper. All methods may be called concurrently: by client
// connections (Enter, Release, Drop, Refuse), by the conductor (Begin, Expire,
// End) and by whoever reads status.
type Buffer struct {
	window atomic.Int64 // Limits.Window
	// waiting and bytes are those of counts, for who asks often.
	waiting, bytes atomic.Int64

	mu     sync.Mutex // guards all below; nothing is called under it
	limits Limits
	outage Outage
	counts Counts
	tallies
}

// New returns an idle Buffer.
func New(limits Limits) *Buffer {
	b := &Buffer{counts: Counts{Refused: make(map[Refusal]uint64)}}
	b.SetLimits(limits)
	return b
}

// SetLimits replaces the limits. What waits already goes on waiting, also if there is
// more of it than the new ones allow.
func (b *Buffer) SetLimits(limits Limits) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = limits
	b.window.Store(int64(limits.Window))
}

// Window returns the longest time without a master before commands are refused.
func (b *Buffer) Window() time.Duration { return time.Duration(b.window.Load()) }

// Enter counts a command of n bytes as held. It returns false where the bounds
// allow no more to wait; the command is then counted as refused (Full) already.
func (b *Buffer) Enter(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Held++
	if b.counts.Waiting >= b.limits.Commands || b.counts.Bytes+int64(n) > b.limits.Bytes {
		b.counts.Refused[Full]++
		b.tallyLocked(func(t *Tally) { t.Held++; t.Refused++ })
		return false
	}
	b.moveLocked(1, int64(n))
	b.tallyEnterLocked()
	return true
}

// moveLocked changes how much waits.
func (b *Buffer) moveLocked(commands int, bytes int64) {
	b.counts.Waiting += commands
	b.counts.Bytes += bytes
	b.waiting.Store(int64(b.counts.Waiting))
	b.bytes.Store(b.counts.Bytes)
}

// Waiting returns how many commands wait, and their bytes. It takes no lock: the two may be
// of different moments.
func (b *Buffer) Waiting() (commands int, bytes int64) {
	return int(b.waiting.Load()), b.bytes.Load()
}

// Release counts a held command of n bytes as sent.
func (b *Buffer) Release(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Released++
	b.tallyLocked(func(t *Tally) { t.Released++ })
	b.leaveLocked(1, int64(n))
}

// Drop counts held commands of so many bytes as dropped, because their client is gone.
func (b *Buffer) Drop(commands int, bytes int64) {
	if commands == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Dropped += uint64(commands)
	b.tallyLocked(func(t *Tally) { t.Dropped += uint64(commands) })
	b.leaveLocked(commands, bytes)
}

// Refuse counts a held command of n bytes as refused.
func (b *Buffer) Refuse(n int, why Refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Refused[why]++
	b.tallyLocked(func(t *Tally) { t.Refused++ })
	b.leaveLocked(1, int64(n))
}

// RefuseAtOnce counts a command that never waited as held and refused.
func (b *Buffer) RefuseAtOnce(why Refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Held++
	b.counts.Refused[why]++
	b.tallyLocked(func(t *Tally) { t.Held++; t.Refused++ })
}

func (b *Buffer) leaveLocked(commands int, bytes int64) {
	b.moveLocked(-commands, -bytes)
	if b.counts.Waiting == 0 && b.outage.Phase == Draining {
		b.outage = Outage{}
		b.tallyEndLocked()
	}
}

// Begin starts the hold at since, or, if it goes on already, notes the newer
// reason: an outage has one beginning, whatever its causes. It returns whether
// this began it.
func (b *Buffer) Begin(since time.Time, reason string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.outage.Phase == Holding || b.outage.Phase == Out {
		b.outage.Reason = reason
		return false
	}
	b.outage = Outage{Phase: Holding, Since: since, Reason: reason}
	b.tallyBeginLocked(since)
	return true
}

// Expire ends the waiting, not the outage, if the hold time is over at now: from
// here on commands are refused. It returns whether this call did it.
func (b *Buffer) Expire(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.outage.Phase != Holding || now.Sub(b.outage.Since) < b.limits.Window {
		return false
	}
	b.outage.Phase = Out
	return true
}

// End says that there is a master again: Draining while commands wait, else
// Idle. It returns the outage that ended.
func (b *Buffer) End() Outage {
	b.mu.Lock()
	defer b.mu.Unlock()
	ended := b.outage
	if b.counts.Waiting > 0 {
		b.outage.Phase = Draining
	} else {
		b.outage = Outage{}
		b.tallyEndLocked()
	}
	return ended
}

// Outage returns the hold's state.
func (b *Buffer) Outage() Outage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.outage
}

// Counts returns a snapshot of the counters; it is always Balanced.
func (b *Buffer) Counts() Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.counts
	c.Refused = make(map[Refusal]uint64, len(Refusals))
	for _, why := range Refusals {
		c.Refused[why] = b.counts.Refused[why]
	}
	return c
}
