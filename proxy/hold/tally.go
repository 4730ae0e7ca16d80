package hold

import (
	"sync/atomic"
	"time"
)

// Tally is what became of the commands of one outage, from its Begin until all that
// waited have been dealt with. Held = Released + Refused + Dropped + those that wait.
type Tally struct {
	// Began is when, the zero time if there was no outage.
	Began                            time.Time
	Held, Released, Refused, Dropped uint64
	// Most is how many waited at one time, MostBytes their bytes.
	Most      int
	MostBytes int64
	// LongestWait is that of a single command, of those that wait no more.
	LongestWait time.Duration
	// Drained is when none waited any more and a master was there; zero: not yet.
	Drained time.Time
}

// tallies are the part of a Buffer that counts by outage; its lock guards them.
type tallies struct {
	tally, former Tally
	counting      bool         // the outage of tally goes on
	longest       atomic.Int64 // LongestWait of tally, in ns; not under the lock
}

// Waited says that a command which is about to leave has waited for d. It takes no lock.
func (b *Buffer) Waited(d time.Duration) {
	for {
		old := b.longest.Load()
		if int64(d) <= old || b.longest.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// Tallies returns what the last outage and the one before it did.
func (b *Buffer) Tallies() (last, former Tally) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last = b.tally
	if b.counting {
		last.LongestWait = time.Duration(b.longest.Load())
	}
	return last, b.former
}

// tallyBeginLocked begins the tally of an outage. What waits already is a part of it; what
// of the former outage still waits has its end there.
func (b *Buffer) tallyBeginLocked(since time.Time) {
	if b.counting {
		b.tallyEndLocked()
	}
	b.former = b.tally
	b.tally = Tally{Began: since, Held: uint64(b.counts.Waiting), Most: b.counts.Waiting, MostBytes: b.counts.Bytes}
	b.longest.Store(0)
	b.counting = true
}

func (b *Buffer) tallyEnterLocked() {
	if b.counting {
		b.tally.Held++
		b.tally.Most = max(b.tally.Most, b.counts.Waiting)
		b.tally.MostBytes = max(b.tally.MostBytes, b.counts.Bytes)
	}
}

func (b *Buffer) tallyLocked(count func(t *Tally)) {
	if b.counting {
		count(&b.tally)
	}
}

func (b *Buffer) tallyEndLocked() {
	if b.counting {
		b.counting = false
		b.tally.LongestWait, b.tally.Drained = time.Duration(b.longest.Load()), time.Now()
	}
}
