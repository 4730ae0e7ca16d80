package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
)

// largeCall is a call that says what is to become of a large reply.
type largeCall struct {
	call
	treatment Treatment
	got       int
	private   bool
}

func (c *largeCall) Large(private bool) Treatment {
	c.private = private
	return c.treatment
}

func (c *largeCall) Part(part []byte, last bool) Owner {
	c.got += len(part)
	if last {
		c.note("%s: %d bytes in parts", c.name, c.got)
	}
	return nil
}

// largeReply is one of n bytes in all.
func largeReply(n int) string {
	body := n - len("$8000000\r\n\r\n")
	return fmt.Sprintf("$%d\r\n%s\r\n", body, strings.Repeat("x", body))
}

const largeSize = 8_000_012

func TestLargeReplies(t *testing.T) {
	for _, tt := range []struct {
		name      string
		private   bool
		treatment Treatment
		reply     string
		left      bool // the connection takes no more calls
		want      []string
	}{
		{"kept", false, Keep, largeReply(largeSize), false, []string{"a=8000012 bytes", "b=+2"}},
		{"handed on", true, HandOn, largeReply(largeSize), false, []string{"a: 8000012 bytes in parts", "b=+2"}},
		{"dropped", false, Drop, largeReply(largeSize), true, []string{"a not_sent", "b=+2", "end"}},
		{"an array", true, HandOn, "*2\r\n" + largeReply(largeSize/2) + largeReply(largeSize/2), false,
			[]string{"a: 8000016 bytes in parts", "b=+2"}},
		{"not large", true, HandOn, largeReply(largeSize / 2), false, []string{"a=4000006 bytes", "b=+2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onWire(t, nil, func(t *testing.T, w *wire) {
				w.conn.private = tt.private
				left := false
				w.conn.onLeave = func(*Conn) { left = true }
				a := &largeCall{call: call{record: &w.record, name: "a", stake: Reads}, treatment: tt.treatment}
				w.send(a)
				w.send(w.calls("b")...)
				w.got("a", "b")
				w.answer(tt.reply + "+2\r\n")
				w.want(t, tt.want...)
				if left != tt.left {
					t.Errorf("left: %v", left)
				}
				if tt.left {
					w.refused()
					if !errors.Is(w.ends, net.ErrClosed) {
						t.Errorf("ended as trouble: %v", w.ends)
					}
				}
			})
		})
	}
}

// TestLargeReplyThatEnds: the connection is lost in the midst of it.
func TestLargeReplyThatEnds(t *testing.T) {
	onWire(t, nil, func(t *testing.T, w *wire) {
		w.conn.private = true
		w.send(&largeCall{call: call{record: &w.record, name: "a"}, treatment: HandOn})
		w.answer(largeReply(largeSize)[:largeSize-100])
		w.peer.Close()
		w.want(t, "end", "a in_doubt")
	})
}

// streamCall is a call with more than its wire bytes.
type streamCall struct {
	call
	stream io.ReadCloser
}

func (c *streamCall) Stream() io.ReadCloser { return c.stream }

func TestStreams(t *testing.T) {
	t.Run("whole", func(t *testing.T) {
		onDurable(t, true, false, func(t *testing.T, w *wire) {
			w.conn.private = true
			r, pw := io.Pipe()
			w.send(&streamCall{call: call{record: &w.record, name: "w1", stake: Writes}, stream: r})
			w.got("w1")
			go func() {
				io.WriteString(pw, "one\r\ntwo\r\n")
				pw.Close()
			}()
			w.got("one", "two")
			w.gotWait(false) // behind it, not before
			w.answer("+1\r\n:1\r\n")
			w.want(t, "w1=+1")
		})
	})
	t.Run("the connection is lost in the midst", func(t *testing.T) {
		onWire(t, nil, func(t *testing.T, w *wire) {
			w.conn.private = true
			r, pw := io.Pipe()
			w.send(&streamCall{call: call{record: &w.record, name: "w1"}, stream: r})
			io.WriteString(pw, "one\r\n")
			w.got("w1", "one")
			w.peer.Close() // writeLoop waits for the next piece
			w.want(t, "end", "w1 not_sent")
		})
	})
	t.Run("the client hangs up in the midst", func(t *testing.T) {
		onWire(t, nil, func(t *testing.T, w *wire) {
			w.conn.private = true
			r, pw := io.Pipe()
			w.send(&streamCall{call: call{record: &w.record, name: "w1"}, stream: r})
			w.got("w1")
			pw.CloseWithError(io.ErrUnexpectedEOF)
			w.want(t, "end", "w1 not_sent")
		})
	})
	t.Run("the connection is lost behind it", func(t *testing.T) {
		onWire(t, nil, func(t *testing.T, w *wire) {
			w.conn.private = true
			w.send(&streamCall{call: call{record: &w.record, name: "w1"}, stream: io.NopCloser(strings.NewReader("one\r\n"))})
			w.got("w1", "one")
			synctest.Wait()
			w.peer.Close()
			w.want(t, "end", "w1 in_doubt")
		})
	})
}
