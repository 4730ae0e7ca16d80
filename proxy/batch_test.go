package proxy

import (
	"bytes"
	"runtime"
	"testing"
	"weak"

	"steadis/proxy/command"
)

// TestBatchesKeepNoBytesOfOthers: a batch that waits to be used again does not keep the bytes of
// commands that came in pieces, which had memory of their own.
func TestBatchesKeepNoBytesOfOthers(t *testing.T) {
	raw := bytes.Clone([]byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"))
	kept := weak.Make(&raw[0])
	b := &batch{} // not newBatch's: it must end in the pool once
	b.fill(raw, 3)
	cmd := b.commands[0]
	requests := b.take()
	requests[0] = request{batch: b, raw: cmd.raw, args: cmd.args, info: command.Lookup(cmd.args), rare: &plainRequest}
	b.submitted()
	b.answered(&requests[0])
	if b.left != 0 {
		t.Fatal("the command was not answered")
	}
	raw, cmd = nil, clientCommand{}
	runtime.GC()
	if kept.Value() != nil {
		t.Error("the batch keeps the bytes")
	}
	runtime.KeepAlive(b)
}
