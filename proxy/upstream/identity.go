package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"steadis/proxy/resp"
)

// Identity is what all commands on one upstream connection share: as whom they
// run, in which database, in which protocol. It is comparable.
type Identity struct {
	User     string // with Auth; empty means Redis' default user, as AUTH with one argument does
	Password string
	Auth     bool // false: the connection does not authenticate
	DB       int
	Protocol int // 2 or 3; 0 means 2
}

// Rejected is Redis' own refusal of an identity: a wrong password, a database
// that does not exist, a protocol that it does not speak. Trying again does not
// help, so the frame belongs to the client.
type Rejected struct {
	Frame []byte // the error reply as it came
}

func (r *Rejected) Error() string {
	return "upstream: Redis rejected the connection: " + strings.TrimSpace(string(r.Frame))
}

var (
	// ErrNotMaster: the node answered, and it is not a master.
	ErrNotMaster = errors.New("upstream: the node is a replica")
	// ErrLoading: the node is there but still loads its data.
	ErrLoading = errors.New("upstream: the node is loading its data")
)

// step is one command of a handshake and how its reply is read: nil to go on.
type step struct {
	args  []string
	check func(frame []byte) error
}

// handshake lists what makes a fresh connection one of this identity's, and then
// asks the node whether it is a master (ROLE) that answers (PING). PING comes
// last: alone among these it is refused while the node loads (Redis 7.0
// commands: AUTH, HELLO, SELECT and ROLE carry the flag "loading", PING does not).
func (id Identity) handshake() []step {
	var steps []step
	auth := []string{"AUTH", id.Password}
	if id.User != "" {
		auth = []string{"AUTH", id.User, id.Password}
	}
	if id.Protocol == 3 {
		hello := []string{"HELLO", "3"}
		if id.Auth {
			hello = append(hello, "AUTH", cmpOr(id.User, "default"), id.Password)
		}
		steps = append(steps, step{hello, checkAccepted})
	} else if id.Auth {
		steps = append(steps, step{auth, checkAccepted})
	}
	if id.DB != 0 {
		steps = append(steps, step{[]string{"SELECT", strconv.Itoa(id.DB)}, checkAccepted})
	}
	return append(steps, step{[]string{"ROLE"}, checkRole}, step{[]string{"PING"}, checkPing})
}

func cmpOr(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

func checkAccepted(frame []byte) error {
	if frame[0] != '-' {
		return nil
	}
	if err := checkNode(frame); err != nil {
		return err
	}
	return &Rejected{Frame: bytes.Clone(frame)}
}

// checkRole reads ROLE's first element. A user who may not ask (NOAUTH, NOPERM)
// is no fault of the node: the control plane has verified it.
func checkRole(frame []byte) error {
	if frame[0] == '-' {
		return checkNode(frame)
	}
	if bytes.HasPrefix(frame, []byte("*5\r\n$5\r\nslave\r\n")) {
		return ErrNotMaster
	}
	return nil
}

func checkPing(frame []byte) error {
	if frame[0] == '-' {
		return checkNode(frame)
	}
	return nil
}

// checkNode tells errors of the node, which may pass, from those that concern
// the identity (nil here).
func checkNode(frame []byte) error {
	switch string(resp.ErrorPrefix(frame)) {
	case "LOADING":
		return ErrLoading
	case "MASTERDOWN", "READONLY":
		return ErrNotMaster
	}
	if text := string(bytes.TrimSpace(frame)); strings.HasPrefix(text, "-ERR max number of clients") ||
		strings.HasPrefix(text, "-DENIED") {
		return fmt.Errorf("upstream: the node refuses connections: %s", text[1:])
	}
	return nil
}

// greet runs the handshake on a connection that was made just now, within ctx.
// It returns a *Rejected, ErrNotMaster, ErrLoading, or an error of the network.
func greet(ctx context.Context, nc net.Conn, id Identity) error {
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	steps := id.handshake()
	var out []byte
	for _, s := range steps {
		out = resp.AppendCommand(out, s.args...)
	}
	if _, err := nc.Write(out); err != nil {
		return err
	}
	frames := frameReader{br: bufio.NewReaderSize(nc, 512)}
	for _, s := range steps {
		frame, err := frames.next()
		if err != nil {
			return fmt.Errorf("upstream: no answer to %s: %w", s.args[0], err)
		}
		if err := s.check(frame); err != nil {
			return err
		}
	}
	if !stop() {
		return ctx.Err()
	}
	if frames.br.Buffered() > 0 {
		return errUnasked
	}
	return nil
}

// frameReader reads single frames in a handshake, where speed does not matter.
type frameReader struct {
	br      *bufio.Reader
	scanner resp.Scanner
}

// maxHandshakeFrame bounds what a node may answer in a handshake.
const maxHandshakeFrame = 1 << 20

func (f *frameReader) next() ([]byte, error) {
	var frame []byte
	for {
		if _, err := f.br.Peek(1); err != nil {
			return nil, err
		}
		have, _ := f.br.Peek(f.br.Buffered())
		n, whole, err := f.scanner.Scan(have)
		if err != nil {
			return nil, err
		}
		frame = append(frame, have[:n]...)
		f.br.Discard(n)
		switch {
		case whole:
			return frame, nil
		case len(frame) > maxHandshakeFrame:
			return nil, errors.New("upstream: the answer in a handshake is too long")
		}
	}
}
