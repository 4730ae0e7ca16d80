package upstream

import (
	"io"
	"runtime"
	"sync"

	"steadis/proxy/sysio"
)

const (
	// bufferCap is the largest write buffer that is kept for reuse.
	bufferCap = 1 << 20
	// pieceSize is how much is written at once of a large buffer, so that stalled
	// can tell a slow upload from a dead connection.
	pieceSize = 256 << 10
)

// writeLoop writes what is pending, everything in one write, whenever woken.
func (c *Conn) writeLoop(wg *sync.WaitGroup) {
	defer wg.Done()
	defer close(c.wrote)
	var socket io.Writer = c.nc
	if w := sysio.NewWriter(c.nc); w != nil {
		socket = w
	}
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		for {
			if !c.private {
				// Let the other clients that are ready to run add their commands: one
				// write for all of them is what makes Redis spend a third of its time
				// on a command.
				runtime.Gosched()
			}
			buf, stream := c.takePending()
			if buf == nil {
				break
			}
			if n, err := c.write(socket, buf); err != nil {
				c.notWritten(len(buf) - n)
				c.fail(err) // readLoop notices and gives the calls their fate
				return
			}
			c.giveBack(buf)
			if err := c.writeStream(stream); err != nil {
				c.fail(err)
				return
			}
		}
	}
}

// writeStream writes what follows behind the bytes that were just written, if anything
// does, at the pace at which it comes.
func (c *Conn) writeStream(stream io.ReadCloser) error {
	if stream == nil {
		return nil
	}
	if _, err := io.Copy(streamWriter{c}, stream); err != nil {
		return err
	}
	c.mu.Lock()
	c.streaming, c.written = nil, nil
	c.mu.Unlock()
	return nil
}

// streamWriter writes pieces of a stream to the network.
type streamWriter struct{ c *Conn }

// Write implements io.Writer.
func (w streamWriter) Write(p []byte) (int, error) {
	n, err := w.c.nc.Write(p)
	w.c.progress.Add(1)
	return n, err
}

// haltStream has writeStream end, which may wait for the client's next piece. The
// connection is closed.
func (c *Conn) haltStream() {
	c.mu.Lock()
	stream := c.written
	c.mu.Unlock()
	if stream != nil {
		stream.Close()
	}
}

// write writes buf and returns how much of it the network took.
func (c *Conn) write(w io.Writer, buf []byte) (int, error) {
	for at := 0; ; {
		n, err := w.Write(buf[at:min(at+pieceSize, len(buf))])
		at += n
		if err != nil || at == len(buf) {
			return at, err
		}
		c.progress.Add(1)
	}
}

// notWritten says that the last rest bytes that takePending gave out did not
// reach the network: the calls that lie wholly within them were not sent.
func (c *Conn) notWritten(rest int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for rest > 0 && c.unsent < c.inflight.Len() {
		size := c.inflight.At(c.inflight.Len() - 1 - c.unsent).size
		if size == hugeCall || int(size) > rest {
			return
		}
		rest -= int(size)
		c.unsent++
	}
}

// takePending takes the bytes to write, and what is to follow; nil says that writeLoop may sleep. A
// connection that is closed writes nothing more: what waits was not sent.
func (c *Conn) takePending() (buf []byte, stream io.ReadCloser) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case len(c.pending) == 0 && !c.owesBarrierLocked() || c.state == closed:
		c.writing = false
		return nil, nil
	case c.partial || c.barriers > 0:
		c.parked = true // still writing, for Send: setPartial or passed brings the token
		return nil, nil
	}
	if c.stream == nil { // else the barrier's place is behind the stream
		c.coverLocked()
	}
	c.barriers, c.newBarriers, c.multiWas, c.uncoveredWas = c.newBarriers, 0, c.multi, c.uncovered
	buf, stream = c.pending, c.stream
	c.stream, c.written = nil, stream
	c.pending, c.spare = c.spare, nil
	c.unsent = 0
	return buf, stream
}

func (c *Conn) giveBack(buf []byte) {
	if cap(buf) > bufferCap {
		return
	}
	c.mu.Lock()
	c.spare = buf[:0]
	c.mu.Unlock()
}
