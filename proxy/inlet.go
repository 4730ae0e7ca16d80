package proxy

import (
	"cmp"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"steadis/proxy/resp"
	"steadis/proxy/socket"
	"steadis/proxy/sysio"
)

// inlet is the memory that a client's commands are read into, for resp.Guard. While a
// client sends nothing it has none of its own: a socket is read when it is readable, into
// memory that all clients share in turn and that holds a whole pipeline. So a batch costs one
// system call, however long it is, and an idle client nothing. What is no socket is read
// into memory of its own. One goroutine uses it.
type inlet struct {
	nc  net.Conn
	raw syscall.RawConn // nil if nc is no socket
	own []byte          // instead of memory that is shared, if nc is no socket
	got *atomic.Uint64  // counts what was read

	// short says whether memory is short. Then a socket is not read, though it is readable,
	// before await has returned: what it has stays in the kernel.
	short  func() bool
	await  func()
	putOff bool // the read was put off for that
	due    bool // and is not again

	// prompt says that nothing may wait: errNothing and errMustWait say what would have to.
	prompt bool
	full   bool // the last read may have left something
	reads  int  // which the turn still has, with prompt

	lent *inletMemory // nil while nothing is read
	read func(fd uintptr) bool
	off  int
	n    int
	err  error
}

var (
	// errNothing says that the client has sent nothing.
	errNothing = errors.New("proxy: nothing to read")
	// errMustWait says that whoever reads the client on has to wait for something else first.
	errMustWait = errors.New("proxy: reading has to wait")
)

const (
	// inletSize is how much of a client is read at one time.
	inletSize = 32 << 10
	// ownSize is the same of one that is no socket.
	ownSize = 4 << 10
	// maxInPlace is the longest command that is handled where it was read; a longer one
	// gets memory of its own as it comes.
	maxInPlace = 16 << 10
	// mostReads is how often a client is read in one turn: what has come, and its end behind it, or
	// urgent data in it. Bytes need not be a command, nor need they come to an end.
	mostReads = 4
)

type inletMemory struct {
	bytes [inletSize]byte
	found resp.Found
}

var inletPool = sync.Pool{New: func() any { return new(inletMemory) }}

// open is to be called once.
func (m *inlet) open(nc net.Conn, got *atomic.Uint64, short func() bool, await func()) {
	m.nc, m.raw, m.read, m.got, m.short, m.await = nc, socket.Raw(nc), m.readSome, got, short, await
	if m.raw == nil {
		m.own = make([]byte, ownSize)
	}
}

// Found implements resp.Memory.
func (m *inlet) Found() *resp.Found {
	if m.raw == nil {
		return nil
	}
	return &m.borrow().found
}

// borrow takes memory if there is none.
func (m *inlet) borrow() *inletMemory {
	if m.lent == nil {
		m.lent = inletPool.Get().(*inletMemory)
	}
	return m.lent
}

// giveBack returns the memory.
func (m *inlet) giveBack() {
	if m.lent != nil {
		inletPool.Put(m.lent)
		m.lent = nil
	}
}

// Size implements resp.Memory.
func (m *inlet) Size() int {
	if m.raw == nil {
		return len(m.own)
	}
	return inletSize
}

// Bytes implements resp.Memory.
func (m *inlet) Bytes() []byte {
	if m.raw == nil {
		return m.own
	}
	return m.borrow().bytes[:]
}

// Wait implements resp.Memory.
func (m *inlet) Wait() error {
	if m.prompt {
		return errMustWait
	}
	return nil
}

// Fill implements resp.Memory.
func (m *inlet) Fill(off int) (int, error) {
	m.off, m.n, m.err = off, 0, nil
	err := error(nil)
	if m.raw == nil {
		m.n, err = m.nc.Read(m.own[off:])
	} else {
		err = m.fillFromSocket()
	}
	m.got.Add(uint64(m.n))
	return m.n, err
}

func (m *inlet) fillFromSocket() error {
	if m.prompt {
		if m.reads == 0 {
			return errMustWait
		}
		m.reads--
	}
	err := m.raw.Read(m.read)
	if m.putOff && err == nil {
		m.putOff = false
		m.await()
		m.due = true
		err = m.raw.Read(m.read)
		m.due = false
	}
	return cmp.Or(err, m.err)
}

// readSome reads what has come; false if nothing has: then it is called again when the
// socket is readable.
func (m *inlet) readSome(fd uintptr) bool {
	if !m.due && m.short() {
		m.putOff = !m.prompt
		if m.prompt {
			m.err = errMustWait
		}
		return true
	}
	p := m.borrow().bytes[m.off:]
	n, again, err := sysio.Read(fd, p)
	m.full = n == len(p)
	if again {
		m.giveBack()
		if m.prompt {
			m.err = errNothing
		}
		return m.prompt
	}
	m.n, m.err = n, err
	return true
}
