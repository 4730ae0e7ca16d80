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

func (b *batch) giveBack() {
	if cap(b.commands) > mostKept {
		return
	}
	clear(b.commands)
	b.commands = b.commands[:0]
	batches.Put(b)
}
