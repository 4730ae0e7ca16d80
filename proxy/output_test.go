package proxy

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// TestOutputLimit: what a client has not read is bounded; the reply that finds the
// bound exceeded is the client's end.
func TestOutputLimit(t *testing.T) {
	ours, theirs := net.Pipe() // takes nothing until it is read
	defer theirs.Close()
	var wg sync.WaitGroup
	caughtUp := make(chan struct{}, 10)
	o := newOutput(ours, 1000, func(f func()) { wg.Go(f) })
	o.drained, o.broken = func() { caughtUp <- struct{}{} }, func() {}
	part := bytes.Repeat([]byte("x"), 600)
	for i, want := range []bool{true, true, false, false} {
		if got := o.add(part); got != want {
			t.Errorf("part %d: %v, want %v", i, got, want)
		}
		o.flush()
	}
	if !o.crowded() {
		t.Error("not crowded with 1200 of 1000 bytes unread")
	}
	if _, err := io.ReadFull(theirs, make([]byte, 1200)); err != nil {
		t.Fatal(err)
	}
	<-caughtUp
	if o.crowded() || !o.add(part) {
		t.Error("no room after the client has read")
	}
	o.flush()
	o.finish()
	got, _ := io.ReadAll(theirs)
	if len(got) != 600 {
		t.Errorf("%d bytes before the end, want 600", len(got))
	}
	wg.Wait()
}

// TestOutputAbort: at once, whatever the client still has to read.
func TestOutputAbort(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	var wg sync.WaitGroup
	o := newOutput(ours, 1000, func(f func()) { wg.Go(f) })
	o.drained, o.broken = func() {}, func() {}
	o.add([]byte("unread"))
	o.flush()
	o.abort()
	wg.Wait()
	theirs.SetReadDeadline(time.Now().Add(time.Second))
	if n, err := theirs.Read(make([]byte, 10)); err != io.EOF {
		t.Errorf("read %d, %v, want the end", n, err)
	}
	if !o.add([]byte("late")) {
		t.Error("what comes after the end must be dropped without a complaint")
	}
}
