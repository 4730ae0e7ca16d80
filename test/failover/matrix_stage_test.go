package failover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"steadis/test/topology"
	"steadis/test/workload"
	"steadis/test/workload/wire"
)

// stage is what one row has in one round: clients, keys and what it must remember from
// before the failover. One goroutine at a time plays on it.
type stage struct {
	row     *matrixRow
	scene   *scene
	proto   int        // 2 or 3
	key     string     // the row's own in this round
	c       *rawClient // speaks proto
	clients []*rawClient
	peer    *rawClient // see other

	note    string   // what the row remembers
	seen    []string // so too
	pinger  *workload.Pinger
	began   time.Time // so too
	atEnd   []func()
	slow    []timing // what took longer than it might, were the machine idle
	faults  []string
	aborted bool // by a fault: the row plays no more, a veteran in no later round
}

// timing is how long something took that steadis does itself.
type timing struct {
	what string
	took time.Duration
}

// scene is what all rows of a round share.
type scene struct {
	ctx       context.Context
	round     int
	last      bool // round
	planned   bool
	frozen    bool // the former master is not gone, but silent
	steadis   *topology.Steadis
	old       *topology.Node // the master before the failover
	heldAt    time.Time      // when steadis held commands
	master    atomic.Pointer[topology.Node]
	announced chan struct{} // closed when a majority has announced another master
	// announcedAt is when that was; to be read once announced is closed.
	announcedAt time.Time
	revived     chan struct{} // closed when the former one is back
}

// newStage connects the row's first client.
func newStage(sc *scene, r *matrixRow, proto int) *stage {
	s := &stage{row: r, scene: sc, proto: proto}
	s.key = fmt.Sprintf("%s:%d:%d", strings.ReplaceAll(r.name, " ", "-"), proto, sc.round)
	s.play(func(s *stage) {
		s.c = s.dial()
		if proto == 3 {
			s.c.want("%7 server redis...", "HELLO", "3")
		}
	})
	return s
}

// name is the row's, with the protocol if it is played in both.
func (s *stage) name() string {
	if s.row.proto != 0 {
		return s.row.name
	}
	return fmt.Sprintf("%s, RESP%d", s.row.name, s.proto)
}

// dial connects another client to steadis, in RESP2.
func (s *stage) dial() *rawClient {
	var d net.Dialer
	conn, err := d.DialContext(s.scene.ctx, "tcp", s.scene.steadis.Addr)
	if err != nil {
		s.failf("%v", err)
	}
	c := newRawClient(s, conn)
	s.clients = append(s.clients, c)
	return c
}

// other is another client of steadis, in RESP2, who does what the first one is to see.
func (s *stage) other() *rawClient {
	if s.peer == nil {
		s.peer = s.dial()
	}
	return s.peer
}

// close hangs everything up.
func (s *stage) close() {
	for _, f := range s.atEnd {
		f()
	}
	for _, c := range s.clients {
		c.close()
	}
}

// errStageFailed is what failf panics with and play recovers.
var errStageFailed = errors.New("the row has failed")

// failf notes a fault and ends the row in this round.
func (s *stage) failf(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
	s.aborted = true
	panic(errStageFailed)
}

// play lets the row do one thing, unless it has failed already.
func (s *stage) play(act func(*stage)) {
	if act == nil || s.aborted {
		return
	}
	defer func() {
		if cause := recover(); cause != nil && cause != any(errStageFailed) {
			panic(cause)
		}
	}()
	act(s)
}

// playOn plays what comes once commands are held, and the rest. It ends with after.
func (s *stage) playOn(ended *sync.WaitGroup) {
	defer ended.Done()
	s.play(s.row.held)
	<-s.scene.announced
	s.play(s.row.announced)
	s.play(s.row.after)
}

// direct asks the master itself: the announced one, past steadis.
func (s *stage) direct(args ...string) string { return s.at(s.scene.master.Load(), args...) }

func (s *stage) at(node *topology.Node, args ...string) string {
	reply, err := node.Do(s.scene.ctx, args...)
	var refusal wire.Error
	switch {
	case errors.As(err, &refusal):
		return "-" + refusal.Error()
	case err != nil:
		s.failf("%s at %s: %v", strings.Join(args, " "), node.Label, err)
	}
	return fmt.Sprint(reply)
}

// wantDirect asks the announced master itself.
func (s *stage) wantDirect(want string, args ...string) {
	if got := s.direct(args...); got != want {
		s.failf("the master itself says to %s: %.200q, want %q", strings.Join(args, " "), got, want)
	}
}

// eventually waits until condition holds.
func (s *stage) eventually(what string, condition func() bool) {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for limit := time.Now().Add(patience); !condition(); <-ticker.C {
		if time.Now().After(limit) {
			s.failf("waited %v for %s", patience, what)
		}
	}
}

// never watches for a while that condition does not hold: nothing tells that
// something will not happen any more.
func (s *stage) never(what string, condition func() bool) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for limit := time.Now().Add(300 * time.Millisecond); time.Now().Before(limit); <-ticker.C {
		if condition() {
			s.failf("%s", what)
		}
	}
}

// quick notes how long something took. It is judged once it is known how slow the
// machine itself was meanwhile.
func (s *stage) quick(what string, took time.Duration) {
	if took > atOnce {
		s.slow = append(s.slow, timing{what, took})
	}
}

// null is Redis' null in the row's protocol; kind, "$" or "*", tells RESP2's apart.
func (s *stage) null(kind string) string { return s.in(kind+"-1", "_") }

// in picks what the row's protocol has.
func (s *stage) in(resp2, resp3 string) string {
	if s.proto == 3 {
		return resp3
	}
	return resp2
}
