package sysio

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns the two ends of a connection of the kind, which end with the test.
func pair(t *testing.T, network string) (near, far net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = t.TempDir() + "/socket"
	}
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if near, err = net.Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}

// What goes in at one end comes out at the other, whatever the pieces, over sockets and over
// what is none.
func TestBytesPass(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // more than sockets take at once
	for _, network := range []string{"tcp", "unix", "none"} {
		t.Run(network, func(t *testing.T) {
			var near, far net.Conn
			if network == "none" {
				near, far = net.Pipe()
				t.Cleanup(func() { near.Close(); far.Close() })
			} else {
				near, far = pair(t, network)
			}
			failed := make(chan error, 1)
			go func() {
				var w io.Writer = near
				if s := NewWriter(near); s != nil {
					w = s
				}
				for b := sent; len(b) > 0; {
					n, err := w.Write(b[:min(len(b), 100_001)])
					if err != nil {
						failed <- err
						return
					}
					b = b[n:]
				}
				failed <- near.Close()
			}()
			got, err := io.ReadAll(NewReader(far))
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes of %d came, %v", len(got), len(sent), err)
			}
			if err := <-failed; err != nil {
				t.Error(err)
			}
		})
	}
}

// Try never waits for who does not read: it says so by writing less.
func TestTryDoesNotWait(t *testing.T) {
	near, far := pair(t, "tcp")
	w, b, sent := NewWriter(near), make([]byte, 1<<20), 0
	for n := len(b); n == len(b); sent += n {
		var err error
		if n, err = w.Try(b); err != nil {
			t.Fatal(err)
		}
	}
	near.Close()
	if got, err := io.Copy(io.Discard, far); err != nil || int(got) != sent {
		t.Errorf("%d bytes came of %d that were written, %v", got, sent, err)
	}
}

// A Reader's wait ends with the connection, with a deadline and with the peer.
func TestReadEnds(t *testing.T) {
	p := make([]byte, 16)
	near, far := pair(t, "tcp")
	near.SetReadDeadline(time.Unix(1, 0))
	var timeout net.Error
	if _, err := NewReader(near).Read(p); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("deadline: %v", err)
	}
	near.SetReadDeadline(time.Time{})
	far.Close()
	if _, err := NewReader(near).Read(p); err != io.EOF {
		t.Errorf("the peer has closed: %v", err)
	}
	near.Close()
	if _, err := NewReader(near).Read(p); err == nil {
		t.Error("no error of a closed connection")
	}
	if n, err := NewWriter(near).Try(p); err == nil {
		t.Errorf("%d bytes written to a closed connection", n)
	}
}
