package proxy

import (
	"net"
	"testing"
	"time"

	"steadis/sentinel/topology"
)

// TestIDsNeverBeginAnew: whoever knows of less does not take an ID back.
func TestIDsNeverBeginAnew(t *testing.T) {
	s, err := New(Options{Board: topology.NewBoard()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.pool.Stop()
	s.StartIDs(1000)
	s.StartIDs(0)
	if got := s.ids.Add(1); got != 1000 {
		t.Errorf("the first ID is %d, want 1000", got)
	}
	if got := s.NextID(); got <= 1000+idGap/2 {
		t.Errorf("the next process begins with %d, which clients here may still get", got)
	}
}

// TestAdoptKeepsWhoTheClientIs: what was described comes back, but neither of another way to
// tell who clients are, nor twice under one ID.
func TestAdoptKeepsWhoTheClientIs(t *testing.T) {
	s, err := New(Options{Board: topology.NewBoard()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.pool.Stop()
	accepted := make(chan *clientConn, 1)
	adopt := func(c Client) (*clientConn, error) {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { ours.Close() })
		go func() {
			select {
			case conn := <-s.adopted:
				accepted <- conn
			case <-t.Context().Done():
			}
		}()
		if err := s.Adopt(theirs, c); err != nil {
			return nil, err
		}
		return <-accepted, nil
	}
	want := Client{ID: 7, Created: time.Unix(5, 0), Auth: true, User: "u\xff", Password: "p", DB: 3, Protocol: 3, Name: "n",
		LibName: "l", LibVer: "1", NoEvict: true, HasWrit: true}
	conn, err := adopt(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.session.describe(); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if twin, err := adopt(want); err != nil || twin.session.id == 7 || len(s.list()) != 2 {
		t.Errorf("%v: the same ID twice", err)
	}
	if _, err := adopt(Client{ID: 8, Static: true, Account: "a"}); err == nil {
		t.Error("a client whom steadis itself has let in is another Redis' client now")
	}
	for _, sess := range s.list() {
		sess.kill()
	}
	s.wg.Wait()
}
