package upstream

import (
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// deaf is a connection that brings nothing while it is deaf, as one whose packets the
// network has lost and TCP has not sent again yet.
type deaf struct {
	net.Conn
	hears chan struct{} // closed when it hears again; nil: it is not deaf
	is    atomic.Bool
	over  atomic.Bool // closed
}

func (d *deaf) Close() error {
	d.over.Store(true)
	return d.Conn.Close()
}

func (d *deaf) Read(p []byte) (int, error) {
	n, err := d.Conn.Read(p)
	if d.is.Load() {
		<-d.hears
		if d.over.Load() {
			return 0, net.ErrClosed
		}
	}
	return n, err
}

// TestLinkLeavesAConnectionThatOwes: when the gate opens again, new commands do not wait for
// what the network has lost; what was lost is answered in the end, or retired.
func TestLinkLeavesAConnectionThatOwes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		paused time.Duration
		leaves bool
		end    func(r *rig, d *deaf)
		want   []string
	}{
		{"for a moment", owesFor - time.Millisecond, false, func(r *rig, d *deaf) { close(d.hears) }, []string{"old=+PONG", "new=+PONG"}},
		{"for long, and answered then", owesFor, true, func(r *rig, d *deaf) { close(d.hears) }, []string{"new=+PONG", "old=+PONG"}},
		{"for long, and retired", owesFor, true, func(r *rig, d *deaf) { r.pool.Open("b:1", 2, 0); close(d.hears) }, []string{"new=+PONG", "old in_doubt"}},
		{"for long, and given up", owesFor, true, func(r *rig, d *deaf) { r.pool.Close(); r.pool.GiveUp(); close(d.hears) }, []string{"new=+PONG", "old in_doubt"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var first *deaf
			wrap := func(nc net.Conn) net.Conn {
				if first != nil {
					return nc
				}
				first = &deaf{Conn: nc, hears: make(chan struct{})}
				return first
			}
			inRig(t, Options{Trouble: func(uint64, error) {}}, wrap, func(t *testing.T, r *rig) {
				l := r.pool.Shared(nobody, 0)
				r.pool.Open("a:1", 1, 0)
				old := r.connected(l)
				first.is.Store(true)
				l.Send(r.ping("old"))
				synctest.Wait()
				r.pool.Close()
				time.Sleep(tt.paused)
				r.pool.Open("a:1", 1, 0)
				if left := r.connected(l) != old; left != tt.leaves {
					t.Fatalf("left: %v", left)
				}
				l.Send(r.ping("new"))
				synctest.Wait()
				tt.end(r, first)
				r.want(t, tt.want...)
			})
		})
	}
}
