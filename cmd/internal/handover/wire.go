package handover

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"steadis/proxy"
)

// The kinds of messages, see the package's comment.
const (
	kindHello  = "hello"
	kindOffer  = "offer"
	kindReady  = "ready"
	kindTaken  = "taken"
	kindScript = "script"
	kindClient = "client"
	kindEnd    = "end"
)

const (
	// network keeps messages apart, and the descriptors with theirs.
	network = "unixpacket"
	// maxMessage bounds one message; a client's is far smaller.
	maxMessage = 128 << 10
	// maxSockets bounds the descriptors of one message.
	maxSockets = 64
	// patience bounds the wait for the other process to read or to answer at once.
	patience = 10 * time.Second
)

// message is one message. Both processes may be of different versions: gob leaves out what
// the other one does not know, and text keeps every byte of what clients have said.
type message struct {
	Kind   string
	PID    int      // hello
	NextID uint64   // offer
	Names  []string // offer: of the sockets that come with it
	// Several says in an offer that the former process serves masters that are told apart by
	// name; Master is the one whose script or client comes.
	Several bool
	Master  string
	Script  []byte // script: a piece of one
	More    bool   // script: and it goes on
	Client  proxy.Client
}

// link is the connection between the two. send may be called concurrently.
type link struct {
	conn *net.UnixConn

	sending sync.Mutex // held while a message is sent: that is I/O, which nobody else waits for but senders
	buf     [maxMessage]byte
}

// send sends a message with descriptors, which stay the caller's.
func (l *link) send(m message, fds ...int) error {
	var body bytes.Buffer
	if err := gob.NewEncoder(&body).Encode(m); err != nil {
		return fmt.Errorf("handover: encode %s: %w", m.Kind, err)
	}
	if body.Len() > maxMessage {
		return fmt.Errorf("handover: %s has %d bytes, more than a message may have", m.Kind, body.Len())
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	l.sending.Lock()
	defer l.sending.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, _, err := l.conn.WriteMsgUnix(body.Bytes(), rights, nil)
	return err
}

// receive waits for a message. Its descriptors are the caller's.
func (l *link) receive() (message, []int, error) {
	var m message
	rights := make([]byte, unix.CmsgSpace(maxSockets*4))
	n, rn, flags, _, err := l.conn.ReadMsgUnix(l.buf[:], rights)
	if err != nil {
		return m, nil, err
	}
	fds, err := descriptors(rights[:rn])
	switch {
	case err != nil:
	case n == 0:
		err = io.EOF
	case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		err = errors.New("handover: a message is longer than one may be")
	default:
		err = gob.NewDecoder(bytes.NewReader(l.buf[:n])).Decode(&m)
	}
	if err != nil {
		closeAll(fds)
		return m, nil, err
	}
	return m, fds, nil
}

// expect waits for a message of a kind.
func (l *link) expect(kind string) (message, []int, error) {
	m, fds, err := l.receive()
	if err == nil && m.Kind != kind {
		closeAll(fds)
		return m, nil, fmt.Errorf("handover: the other process says %q where %q is due", m.Kind, kind)
	}
	return m, fds, err
}

func descriptors(rights []byte) ([]int, error) {
	if len(rights) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	var fds []int
	for i := range messages {
		more, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			closeAll(fds)
			return nil, fmt.Errorf("handover: %w", err)
		}
		fds = append(fds, more...)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd) // it was the other process's
	}
}

// asFile makes a file of a descriptor, which becomes the file's.
func asFile(fd int, name string) *os.File { return os.NewFile(uintptr(fd), name) }
