package sysio

import (
	"errors"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// polled runs a Poller until the test ends; its rounds come over the channel.
func polled(t *testing.T) (*Poller, <-chan []Event) {
	t.Helper()
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	rounds, ended, over := make(chan []Event, 100), make(chan error, 1), make(chan struct{})
	go func() {
		ended <- p.Run(func(events []Event) {
			select {
			case rounds <- slices.Clone(events):
			case <-over: // the ends of all sockets, which nobody wants to hear of
			}
		})
	}()
	t.Cleanup(func() {
		close(over)
		p.Close()
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Errorf("Run returned %v behind Close", err)
		}
	})
	return p, rounds
}

// told returns the next event of each token, all of which must come.
func told(t *testing.T, rounds <-chan []Event, tokens ...uint64) map[uint64]Event {
	t.Helper()
	got := map[uint64]Event{}
	for len(got) < len(tokens) {
		select {
		case events := <-rounds:
			for _, e := range events {
				if !slices.Contains(tokens, e.Token) {
					t.Fatalf("told of %d, which nobody has asked for", e.Token)
				}
				got[e.Token] = e
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("told of %v only, want %v", got, tokens)
		}
	}
	return got
}

func say(t *testing.T, nc net.Conn, text string) {
	t.Helper()
	if _, err := nc.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestPollerTellsOnce(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			p, rounds := polled(t)
			near, far := pair(t, network)
			say(t, far, "before") // what is there already is told as well
			const token = 1<<40 + 7
			if err := p.Add(Raw(near), token); err != nil {
				t.Fatal(err)
			}
			if e := told(t, rounds, token)[token]; e.Ended {
				t.Error("told of an end")
			}
			near2, far2 := pair(t, network)
			if err := p.Add(Raw(near2), 2); err != nil {
				t.Fatal(err)
			}
			say(t, far2, "x") // comes alone: what was not read of the first one is not told again
			told(t, rounds, 2)
			say(t, far, "more")
			told(t, rounds, token)
			if err := far.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if e := told(t, rounds, token)[token]; !e.Ended {
				t.Error("not told of the end")
			}
		})
	}
}

// TestPollerTellsOfAnEndBehindData: they come as one event, and who has read the data would not
// look again.
func TestPollerTellsOfAnEndBehindData(t *testing.T) {
	p, rounds := polled(t)
	near, far := pair(t, "tcp")
	say(t, far, "last words")
	far.Close()
	awaitEnd(t, near)
	if err := p.Add(Raw(near), 1); err != nil {
		t.Fatal(err)
	}
	if e := told(t, rounds, 1)[1]; !e.Ended {
		t.Error("not told of the end")
	}
}

// awaitEnd returns once the peer's end has arrived, without reading anything.
func awaitEnd(t *testing.T, nc net.Conn) {
	t.Helper()
	const closeWait = 8 // TCP_CLOSE_WAIT of include/net/tcp_states.h
	for deadline := time.Now().Add(10 * time.Second); ; {
		state := byte(0)
		if err := Raw(nc).Control(func(fd uintptr) {
			info, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO) // its first byte is the state
			if err == nil {
				state = byte(info)
			}
		}); err != nil {
			t.Fatal(err)
		}
		switch {
		case state == closeWait:
			return
		case time.Now().After(deadline):
			t.Fatalf("the connection is in state %d", state)
		}
	}
}

func TestPollerTellsOfMany(t *testing.T) {
	p, rounds := polled(t)
	const many = maxEvents + 50
	var tokens []uint64
	for i := range uint64(many) {
		near, far := pair(t, "unix")
		say(t, far, "x")
		if err := p.Add(Raw(near), i); err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, i)
	}
	told(t, rounds, tokens...)
}

func TestPollerWatchesNoMore(t *testing.T) {
	p, rounds := polled(t)
	near, far := pair(t, "tcp")
	gone, goneFar := pair(t, "tcp")
	for token, nc := range map[uint64]net.Conn{1: near, 2: gone} {
		if err := p.Add(Raw(nc), token); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Remove(Raw(gone)); err != nil {
		t.Fatal(err)
	}
	say(t, goneFar, "x")
	say(t, far, "x")
	told(t, rounds, 1)
	near.Close()
	if err := p.Add(Raw(near), 3); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Add of a closed connection: %v", err)
	}
	if err := p.Remove(Raw(gone)); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("a second Remove: %v", err)
	}
}
