package proxy

import (
	"hash/maphash"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// Values that are too large to be kept.
//
// Of an argument of more than streamFrom bytes, the last of its command, only the first so
// many are read into memory; the rest is not: it goes from the client's connection to a private one of the master's in
// pieces (resp.Body), which nobody else waits behind. Once its first byte was taken it
// cannot be sent again: if the master is lost before the last one, the command has certainly not
// run, and the client is told so (errBodyLost).
//
// A reply of at least streamFrom bytes that comes on a private connection goes to the
// client in parts, at the pace at which it reads. On a shared connection others would wait
// for that: there the rest of it is dropped, and the command, if it may run twice, is sent
// again over a private one. Its key is remembered, so that this happens once.

// streamFrom is the size from which a value is not kept, in bytes, in either direction.
const streamFrom = upstream.LargeReply

// streams says whether the last argument of a command may be handed on as it arrives:
// nothing here has to look at it.
func (s *Server) streams(args [][]byte) bool {
	info := s.table.Load().Lookup(args)
	if s.writesElsewhere(info) {
		return false // it is refused, and its argument with it
	}
	if info.Class != command.Read && info.Class != command.Write || info.NoData || info.Cursor > 0 {
		return false
	}
	switch info.Verb {
	case command.VerbNone, command.Publish, command.SPublish:
		return true
	case command.Eval, command.EvalSha, command.FCall, command.EvalRO, command.EvalShaRO, command.FCallRO:
		return len(args) > 3 // an argument of the script, not the script
	}
	return false
}

// takeBody takes what belongs to the last command of the batch that is about to be
// submitted. It is called by the goroutine that submits.
func (s *Session) takeBody(b *resp.Body) { s.body = b }

// Stream implements upstream.Streamer.
func (r *request) Stream() io.ReadCloser {
	if r.body == nil {
		return nil
	}
	b := &bodyStream{body: r.body}
	b.all = io.MultiReader(r.body, strings.NewReader("\r\n"))
	return b
}

// bodyStream is one attempt to send a body. If it is given up before the first byte
// was taken, another one can be made.
type bodyStream struct {
	body *resp.Body
	all  io.Reader

	// mu orders the first Read and Close. No I/O under it.
	mu    sync.Mutex
	begun bool
	over  bool
}

// Read implements io.Reader.
func (b *bodyStream) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.over {
		b.mu.Unlock()
		return 0, net.ErrClosed
	}
	b.begun = true
	b.mu.Unlock()
	return b.all.Read(p)
}

// Close implements io.Closer.
func (b *bodyStream) Close() error {
	b.mu.Lock()
	begun := b.begun
	b.over = true
	b.mu.Unlock()
	if begun {
		b.body.Close()
	}
	return nil
}

// advanceBody sends a command that has a body, alone, on the private connection.
func (s *Session) advanceBody(r *request) bool {
	if !s.first(r) {
		return false
	}
	if s.tx != nil && s.tx.multi {
		s.tx.over = true // it cannot be queued again on another master
		if !s.pickQueued(r) {
			return false
		}
		s.barrier = r
		return true
	}
	return s.pickAlone(r)
}

// bodyLost says whether r cannot be sent again because its body has been read. Whether it has
// run is then as fate says.
func (r *request) bodyLost() bool { return r.body != nil && r.body.Begun() }

// dropBody says that r's body is not wanted any more: the request leaves the queue.
func (r *request) dropBody() {
	if r.body != nil {
		r.body.Close()
	}
}

// Large implements upstream.PartTaker.
func (r *request) Large(private bool) upstream.Treatment { return r.s.large(r, private) }

// Part implements upstream.PartTaker.
func (r *request) Part(part []byte, last bool) upstream.Owner { return r.s.handOn(r, part, last) }

// large says what is to become of a reply that is too large to be kept. It is an upstream
// reader's, as handOn.
func (s *Session) large(r *request, private bool) upstream.Treatment {
	s.mu.Lock()
	defer s.mu.Unlock()
	data := r.role == roleCommand && r.info.Verb == command.VerbNone && !r.info.NoData
	switch {
	case s.dead && private:
		return upstream.HandOn
	case s.dead || !data:
		return upstream.Keep
	case private && !r.mute && *s.queue.At(0) == r:
		return upstream.HandOn
	case !private && r.info.Repeatable:
		r.own().bulky = true
		s.server.bulky.note(r.args)
		return upstream.Drop
	}
	return upstream.Keep
}

// partsRoom is how much may wait for a client before the next part of a large reply is
// read for it, in bytes.
const partsRoom = 1 << 20

// handOn gives a part of a large reply to the client, once that has read enough of the
// former ones.
func (s *Session) handOn(r *request, part []byte, last bool) upstream.Owner {
	s.out.awaitRoom(partsRoom)
	s.mu.Lock()
	if last {
		s.answered(r)
	}
	if s.dead {
		s.mu.Unlock()
		return nil
	}
	if last {
		s.answer(r, part)
		s.out.inParts(false)
		defer s.mu.Unlock()
		return s.soil()
	}
	r.own().parted = true
	s.out.inParts(true)
	s.say(r, part)
	s.mu.Unlock()
	s.out.flush()
	return nil
}

// bulky remembers commands whose replies were too large for a shared connection, by
// their names and keys. It may be used concurrently; the zero value is empty.
type bulky struct {
	some atomic.Bool // there are any

	mu    sync.Mutex // guards known
	known map[uint64]struct{}
}

// mostBulky bounds what is remembered; beyond it all is forgotten.
const mostBulky = 4096

var bulkySeed = maphash.MakeSeed()

func hashCommand(args [][]byte) uint64 {
	var h maphash.Hash
	h.SetSeed(bulkySeed)
	for _, arg := range args[:min(2, len(args))] {
		h.Write(arg)
		h.WriteByte(0)
	}
	return h.Sum64()
}

func (b *bulky) note(args [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil || len(b.known) >= mostBulky {
		b.known = make(map[uint64]struct{})
	}
	b.known[hashCommand(args)] = struct{}{}
	b.some.Store(true)
}

// has says whether the command has been noted.
func (b *bulky) has(args [][]byte) bool {
	if !b.some.Load() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.known[hashCommand(args)]
	return ok
}

var (
	_ upstream.Streamer  = (*request)(nil)
	_ upstream.PartTaker = (*request)(nil)
)

// addBody gives the last command of the batch its body. s.mu must be held.
func (s *Session) addBody() {
	b := s.body
	if b == nil {
		return
	}
	s.body = nil
	if n := s.queue.Len(); n > 0 && !s.dead {
		if r := *s.queue.At(n - 1); r.state == unsent && r.copies == 1 {
			r.own().body = b
			return
		}
	}
	b.Close() // it was refused
}
