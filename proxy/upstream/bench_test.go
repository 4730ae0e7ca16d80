package upstream

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

// okNode is a connection to a node that answers each PING with +OK, at once and
// without allocating.
type okNode struct {
	net.Conn
	mu    sync.Mutex // guards due and ended
	due   int        // bytes of replies that were not read
	ended bool
	more  sync.Cond
}

const (
	onePing = "*1\r\n$4\r\nPING\r\n"
	oneOK   = "+OK\r\n"
)

func newOKNode() *okNode {
	n := &okNode{}
	n.more.L = &n.mu
	return n
}

func (n *okNode) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.due += len(p) / len(onePing) * len(oneOK)
	n.more.Signal()
	return len(p), nil
}

// Read gives whole replies only, so that it knows where the next one begins.
func (n *okNode) Read(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.due == 0 && !n.ended {
		n.more.Wait()
	}
	if n.ended {
		return 0, io.EOF
	}
	size := 0
	for size+len(oneOK) <= len(p) && size < n.due {
		size += copy(p[size:], oneOK)
	}
	n.due -= size
	return size, nil
}

func (n *okNode) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
	n.more.Broadcast()
	return nil
}

// counted is a call that says when the last one of a batch is answered.
type counted struct {
	call
	left *int // touched by readLoop, and by the benchmark between batches
	done chan<- struct{}
}

func (c *counted) Reply([]byte, bool) Owner {
	if *c.left--; *c.left == 0 {
		c.done <- struct{}{}
	}
	return nil
}

// BenchmarkConn sends batches over one connection and waits for their replies: what a
// command costs from Send to Reply, with both goroutines of the connection. An
// operation is a command.
func BenchmarkConn(b *testing.B) {
	for _, depth := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("batch=%d", depth), func(b *testing.B) {
			c := newConn(greeted{nc: newOKNode()}, Origin{}, noPush, func(*Conn, error) {})
			var wg sync.WaitGroup
			c.start(&wg, 16<<10)
			left, done := 0, make(chan struct{}, 1)
			one := &counted{call: call{wire: onePing}, left: &left, done: done}
			batch := make([]Call, depth)
			for i := range batch {
				batch[i] = one
			}
			b.ReportAllocs()
			for sent := 0; b.Loop(); sent-- {
				if sent > 0 {
					continue
				}
				sent, left = depth, depth
				if err := c.Send(batch); err != nil {
					b.Fatal(err)
				}
				<-done
			}
			c.Close()
			wg.Wait()
		})
	}
}

// BenchmarkShared is what a client pays for its link, at its first command.
func BenchmarkShared(b *testing.B) {
	p := NewPool(Options{Connections: 2})
	defer p.Stop()
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		p.Release(p.Shared(nobody, n))
	}
}
