package proxy

import (
	"sync"

	"steadis/proxy/resp"
)

// clientCommand is one command as it has come, in canonical form.
type clientCommand struct {
	raw  []byte
	args [][]byte // parts of raw
}

// batch is the commands that were read at one time. Their bytes are one piece of memory,
// and their arguments another, which live until the last of them is answered.
type batch struct {
	commands []clientCommand
}

// batches keeps the lists of batches that have been submitted: sessions keep only what is
// in them.
var batches = sync.Pool{New: func() any { return new(batch) }}

// mostKept is the longest list that is kept.
const mostKept = 1024

func newBatch() *batch { return batches.Get().(*batch) }

// fill splits raw, whole commands with so many arguments in all.
func (b *batch) fill(raw []byte, args int) {
	slab := make([][]byte, 0, args)
	for len(raw) > 0 {
		before := len(slab)
		var n int
		slab, n = resp.AppendArgs(slab, raw)
		b.commands = append(b.commands, clientCommand{raw: raw[:n:n], args: slab[before:len(slab):len(slab)]})
		raw = raw[n:]
	}
}

// fillFound splits raw, whole commands that f has found.
func (b *batch) fillFound(raw []byte, f *resp.Found) {
	last := 0
	for _, c := range f.Commands {
		last += int(c.B)
	}
	slab := make([][]byte, last)
	for i, a := range f.Args[:last] {
		slab[i] = raw[a.A:a.B:a.B]
	}
	begin := int32(0)
	for _, c := range f.Commands {
		b.commands = append(b.commands, clientCommand{raw: raw[begin:c.A:c.A], args: slab[:c.B:c.B]})
		begin, slab = c.A, slab[c.B:]
	}
}

func (b *batch) giveBack() {
	if cap(b.commands) > mostKept {
		return
	}
	clear(b.commands)
	b.commands = b.commands[:0]
	batches.Put(b)
}
