package topology

import (
	"sync"
	"sync/atomic"
)

// Replicas is what the control plane knows of the replicas at one moment. It is
// immutable: a change is a new one.
type Replicas struct {
	// Fit are those that reads may go to, addresses to dial, sorted.
	Fit []string
	// Master is the master, empty while there is none that serves.
	Master string
	// Reason says why Fit is empty, for an operator and for error texts.
	Reason string
}

// ReplicaBoard hands Replicas from one publisher to many readers, as a Board hands
// Views. Its methods may be called concurrently.
type ReplicaBoard struct {
	cell   atomic.Pointer[replicasCell]
	mu     sync.Mutex // serialises Publish; no I/O and no callback under it
	doubts chan string
}

type replicasCell struct {
	set      *Replicas
	replaced chan struct{}
}

// NewReplicaBoard returns a ReplicaBoard without replicas.
func NewReplicaBoard() *ReplicaBoard {
	b := &ReplicaBoard{doubts: make(chan string, 16)}
	b.cell.Store(&replicasCell{&Replicas{Reason: "no replica is known yet"}, make(chan struct{})})
	return b
}

// Load returns what is current, never nil, and a channel that is closed once it is not.
func (b *ReplicaBoard) Load() (*Replicas, <-chan struct{}) {
	c := b.cell.Load()
	return c.set, c.replaced
}

// Publish replaces what is current.
func (b *ReplicaBoard) Publish(set Replicas) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.cell.Swap(&replicasCell{&set, make(chan struct{})})
	close(old.replaced)
}

// Doubt tells the control plane that the node at addr does not answer as it should. It
// never blocks; what does not fit in is dropped, since who doubts does so again.
func (b *ReplicaBoard) Doubt(addr string) {
	select {
	case b.doubts <- addr:
	default:
	}
}

// Doubts is where the control plane receives what Doubt was told.
func (b *ReplicaBoard) Doubts() <-chan string { return b.doubts }
