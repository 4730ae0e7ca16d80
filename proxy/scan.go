package proxy

import (
	"bytes"
	"slices"
	"strconv"

	"steadis/proxy/command"
	"steadis/proxy/resp"
)

// A cursor of SCAN, HSCAN, SSCAN or ZSCAN means something only to the process that
// gave it: the next master hashes with another seed, and the cursor would pass over
// elements there (measured: 37,408 of 50,000 keys came). So steadis puts the config
// epoch of the master into the cursors that it hands out, above the bits that Redis
// uses, and begins a scan anew, at 0, whose cursor is another master's. Elements may
// come twice then, which SCAN's contract allows.
//
// The epoch is Sentinel's, so all steadis before one deployment agree, whenever they
// were started. In epoch 0, before the first failover, cursors are Redis' own. They
// stay below 2^53, since some clients read them into a double.

const (
	cursorBits = 40 // a table of 2^40 elements has larger ones; such a cursor is passed on
	tagBits    = 12
)

// tagOf is what stands for an epoch in cursors: 0 only for epoch 0.
func tagOf(epoch uint64) uint64 {
	if epoch == 0 {
		return 0
	}
	return 1 + (epoch-1)%(1<<tagBits-1)
}

// scans says whether the request has a cursor that is to be aimed when it is sent.
func (r *request) scans() bool {
	return r.role == roleScan || r.role == roleQueued && r.info.Verb == command.Scan
}

// aimCursor writes into a scan that goes to a master of epoch the cursor which that
// one knows.
func aimCursor(r *request, epoch uint64) {
	at := r.info.Cursor
	if at == 0 || at >= len(r.args) {
		return
	}
	given := r.args[at]
	if r.rare.cursor != nil {
		given = r.rare.cursor
	}
	cursor, err := strconv.ParseUint(string(given), 10, 64)
	if err != nil || cursor == 0 || cursor>>(cursorBits+tagBits) != 0 {
		return // Redis' own error, a beginning, or none that steadis made
	}
	tag := cursor >> cursorBits
	if tag == 0 && epoch == 0 && r.rare.cursor == nil {
		return
	}
	r.own().cursor = given
	cursor &= 1<<cursorBits - 1
	if tag != tagOf(epoch) {
		cursor = 0
	}
	args := slices.Clone(r.args)
	args[at] = strconv.AppendUint(nil, cursor, 10)
	r.raw = resp.AppendCommandBytes(nil, args...)
}

// taggedCursor returns a scan's reply with the cursor that the client gets.
func taggedCursor(r *request, epoch uint64, frame []byte) []byte {
	const head = "*2\r\n$"
	if epoch == 0 || !bytes.HasPrefix(frame, []byte(head)) {
		return frame
	}
	i := bytes.IndexByte(frame[len(head):], '\n') + len(head) + 1
	j := bytes.IndexByte(frame[i:], '\r') + i
	if j < i {
		return frame
	}
	cursor, err := strconv.ParseUint(string(frame[i:j]), 10, 64)
	if err != nil || cursor == 0 || cursor>>cursorBits != 0 {
		return frame
	}
	text := strconv.FormatUint(cursor|tagOf(epoch)<<cursorBits, 10)
	out := append([]byte("*2\r\n"), bulk(text)...)
	return append(out, frame[j+2:]...)
}
