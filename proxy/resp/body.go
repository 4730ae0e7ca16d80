package resp

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// ErrBodyCut is what Body.Read returns if the client hung up in the midst of it.
var ErrBodyCut = errors.New("resp: the client hung up in the midst of an argument")

// errUnwanted is for the writing side: nobody reads the rest.
var errUnwanted = errors.New("resp: the argument is not wanted any more")

// Body is the last argument of a command, which was too large to be kept: it can be read
// once, while it arrives. Read and Close may be called by one goroutine at a time, at the
// same time as the Guard's Read, which waits for them.
type Body struct {
	r     *io.PipeReader
	w     *io.PipeWriter
	begun atomic.Bool

	early []byte // came with the header; the Guard's
}

func newBody() *Body {
	b := &Body{}
	b.r, b.w = io.Pipe()
	return b
}

// Read reads the argument. It returns io.EOF behind its last byte, and ErrBodyCut if it
// ends before.
func (b *Body) Read(p []byte) (int, error) {
	b.begun.Store(true)
	return b.r.Read(p)
}

// Begun says whether Read was called: then it is too late for another reader.
func (b *Body) Begun() bool { return b.begun.Load() }

// Close says that the rest is not wanted: the Guard drops it as it comes. It may be
// called more than once.
func (b *Body) Close() { b.r.CloseWithError(errUnwanted) }

// write hands p to the reader and waits until it has taken all, or wants no more.
func (b *Body) write(p []byte) {
	if len(p) > 0 {
		_, _ = b.w.Write(p) // an error: nobody wants it
	}
}

// bodyPieces are what bodies are read with.
var bodyPieces = sync.Pool{New: func() any { p := make([]byte, 64<<10); return &p }}

// pump reads the rest of a body and hands it on, piece by piece, as fast as it is taken.
func (g *Guard) pump() {
	b := g.q.stream
	b.write(b.early)
	b.early = nil
	piece := bodyPieces.Get().(*[]byte)
	defer bodyPieces.Put(piece)
	for g.q.body > 0 {
		n, err := g.Conn.Read((*piece)[:min(int64(len(*piece)), g.q.body)])
		g.q.body -= int64(n)
		b.write((*piece)[:n])
		if err != nil {
			g.readErr = err
			if g.q.body > 0 && !isTemporary(err) {
				b.w.CloseWithError(ErrBodyCut)
			}
			return
		}
	}
	b.w.Close()
	g.q.stream = nil
	g.body.Store(nil)
	g.q.begin(endBodyStream)
}

func isTemporary(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
