package proxy

import (
	"sync"

	"steadis/proxy/command"
	"steadis/proxy/resp"
)

// clientCommand is one command as it has come, in canonical form.
type clientCommand struct {
	raw  []byte
	args [][]byte // parts of raw
}

// batch is the commands that were read at one time. Their bytes are one piece of memory,
// their arguments another and their requests a third, which live until the last of them is
// answered. Then all of it is used again, if nobody can have kept a part of it: a pipeline
// of plain commands allocates nothing.
//
// Until it is submitted it belongs to the goroutine that reads the client, from then on to
// the session: the session's lock guards it.
type batch struct {
	commands []clientCommand
	raw      []byte
	args     [][]byte
	requests []request
	left     int // requests that are queued, or are no plain ones: see answered
	size     int // index into sizes; len(sizes) if its memory is not to be used again
}

// sizes keep the memory of batches that are over, by what they had: a small batch must not
// get the memory of a large one, or many clients with a small one each would take more than
// anybody counts (RequestCost).
var sizes = [...]struct {
	bytes, commands, args int // most of them
	pool                  sync.Pool
}{
	{bytes: 512, commands: 4, args: 16},
	{bytes: 4 << 10, commands: 32, args: 128},
	{bytes: inletSize, commands: 256, args: 1024},
}

// newBatch returns a batch that is about to get so many bytes, commands and arguments.
func newBatch(bytes, commands, args int) *batch {
	i := 0
	for i < len(sizes) && (bytes > sizes[i].bytes || commands > sizes[i].commands || args > sizes[i].args) {
		i++
	}
	if i < len(sizes) {
		if b, ok := sizes[i].pool.Get().(*batch); ok {
			return b
		}
	}
	return &batch{size: i}
}

// copyOf returns a copy of raw that lives as long as the batch.
func (b *batch) copyOf(raw []byte) []byte {
	b.raw = append(b.raw[:0], raw...)
	return b.raw
}

// slab returns room for n arguments.
func (b *batch) slab(n int) [][]byte {
	if cap(b.args) < n {
		b.args = make([][]byte, n)
	}
	b.args = b.args[:n]
	return b.args
}

// take returns a request for each command.
func (b *batch) take() []request {
	n := len(b.commands)
	if cap(b.requests) < n {
		b.requests = make([]request, n)
	}
	b.requests = b.requests[:n]
	b.left = n
	return b.requests
}

// submitted forgets the commands, which the requests have now.
func (b *batch) submitted() {
	clear(b.commands)
	b.commands = b.commands[:0]
}

// answered says that the request r has left the queue and that nobody looks at it any more.
func (b *batch) answered(r *request) {
	if b == nil || !r.plain() {
		return // it stays in b.left: b's memory is the collector's
	}
	if b.left--; b.left == 0 && b.size < len(sizes) {
		clear(b.requests) // or the pool would keep their session
		clear(b.args)     // and bytes that are not b.raw, even beside the next ones
		sizes[b.size].pool.Put(b)
	}
}

// plain says of a request that was answered that nothing but the queue can have kept it, its
// arguments or its bytes: no transaction, no script, no goroutine of its own.
func (r *request) plain() bool {
	return r.role == roleCommand && r.rare == &plainRequest && r.info.Verb == command.VerbNone && !r.refused &&
		(r.info.Class == command.Read || r.info.Class == command.Write)
}

// fill splits raw, whole commands with so many arguments in all.
func (b *batch) fill(raw []byte, args int) {
	slab := b.slab(args)[:0]
	for len(raw) > 0 {
		before := len(slab)
		var n int
		slab, n = resp.AppendArgs(slab, raw)
		b.commands = append(b.commands, clientCommand{raw: raw[:n:n], args: slab[before:len(slab):len(slab)]})
		raw = raw[n:]
	}
}

// fillFound splits raw, whole commands with so many arguments that f has found.
func (b *batch) fillFound(raw []byte, f *resp.Found, args int) {
	slab := b.slab(args)
	for i, a := range f.Args[:args] {
		slab[i] = raw[a.A:a.B:a.B]
	}
	begin := int32(0)
	for _, c := range f.Commands {
		b.commands = append(b.commands, clientCommand{raw: raw[begin:c.A:c.A], args: slab[:c.B:c.B]})
		begin, slab = c.A, slab[c.B:]
	}
}
