package upstream

import (
	"runtime"
	"sync"
)

// herald wakes the writers of pinned connections in the order in which their clients'
// commands came. With one thread Go's poller hands connections that have become
// readable at the same time to their goroutines in reverse (netpoll pushes each onto
// the front of a list), and of the goroutines that these wake the last one runs first.
// So two clients that say BLPOP one after the other would come to wait in Redis the
// other way round, and a SUBSCRIBE would be overtaken by the PUBLISH behind it. What is
// announced in one go is therefore woken last in, first out; each writes before the
// next one is woken, and all before the shared connections, whose writers wait for
// their turn once more.
//
// With several threads there is no such order to be kept, and writers are woken at once.
type herald struct {
	wake chan struct{} // capacity 1

	mu    sync.Mutex // guards conns; nothing is called under it
	conns []*Conn
}

// newHerald returns a herald, or nil where there is none to be had.
func newHerald() *herald {
	if runtime.GOMAXPROCS(0) > 1 {
		return nil
	}
	return &herald{wake: make(chan struct{}, 1)}
}

// announce has c's writer woken. It never blocks.
func (h *herald) announce(c *Conn) {
	h.mu.Lock()
	h.conns = append(h.conns, c)
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// run is the herald's goroutine. It ends with stop.
func (h *herald) run(stop <-chan struct{}, wg *sync.WaitGroup) {
	defer wg.Done()
	for {
		select {
		case <-h.wake:
		case <-stop:
			return
		}
		runtime.Gosched() // let the others who have become readable announce theirs
		for c := h.last(); c != nil; c = h.last() {
			c.wake <- struct{}{}
			runtime.Gosched() // let it write
		}
	}
}

// last takes out who was announced last, nil if nobody is left.
func (h *herald) last() *Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.conns) - 1
	if n < 0 {
		return nil
	}
	c := h.conns[n]
	h.conns[n] = nil
	h.conns = h.conns[:n]
	return c
}
