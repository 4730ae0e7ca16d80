package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
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
	Protocol int    // 2 or 3; 0 means 2
	Edition  int    // of a client that has not authenticated: Pool.Edition when it came
	Name     string // what CLIENT SETNAME gives a pinned link's connection; empty for shared ones
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

// How steadis spells its own commands. Redis does not care, but MONITOR shows them as
// they came, and so can be told from clients' (IsOurs).
const (
	sayAuth   = "AuTH"
	sayHello  = "HeLLO"
	saySelect = "SeLECT"
	sayClient = "ClIENT"
	sayRole   = "RoLE"
	sayPing   = "PiNG"
)

var ours = []string{sayAuth, sayHello, saySelect, sayClient, sayRole, sayPing, sayWait, sayPublish}

// Ping is the command that asks a Pilot's node whether it lives.
var Ping = resp.AppendCommand(nil, sayPing)

// SetName is the command that gives a connection its client's name.
func SetName(name string) []byte { return resp.AppendCommand(nil, sayClient, "SETNAME", name) }

// IsOurs says whether a line that MONITOR shows is a command of steadis itself.
func IsOurs(line []byte) bool {
	_, rest, ok := bytes.Cut(line, []byte(`] "`))
	word, _, _ := bytes.Cut(rest, []byte(`"`))
	return ok && slices.Contains(ours, string(word))
}

// step is one command of a handshake and how its reply is read: nil to go on.
type step struct {
	args  []string
	check func(g *greeted, frame []byte) error
}

// greeted is a connection whose handshake is through, and what was learnt by it.
type greeted struct {
	nc        net.Conn
	clientID  int64 // 0 unless it was asked and answered
	resp3     bool  // the connection speaks RESP3
	selected  bool  // the database was chosen before AUTH
	needsAuth bool  // the node takes no commands from this identity before AUTH
}

// handshake lists what makes a fresh connection one of this identity's, and asks the
// node whether it is a master (ROLE) that answers (PING). PING comes after the steps
// that a loading node takes: alone among these it is refused while the node loads (Redis
// 7.0 commands: AUTH, HELLO, SELECT, CLIENT and ROLE carry the flag "loading", PING does
// not). Of an identity that authenticates these questions come first, so that a user who
// may not ask them leaves no trace in ACL LOG; if a password is needed for them, the
// pilot has asked already. A pinned connection tells its own id.
func (id Identity) handshake(pinned bool) []step {
	ask := []step{{[]string{sayRole}, checkRole}, {[]string{sayPing}, checkPing}}
	if pinned {
		ask = append([]step{{[]string{sayClient, "ID"}, noteClientID}}, ask...)
	}
	var steps []step
	if id.Auth {
		steps, ask = ask, nil
	}
	choose := []string{saySelect, strconv.Itoa(id.DB)}
	if id.DB != 0 && id.Auth {
		// A user who may not SELECT can be in a database that was chosen before AUTH.
		steps = append(steps, step{choose, noteSelected})
	}
	if id.Protocol == 3 {
		hello := []string{sayHello, "3"}
		if id.Auth {
			hello = append(hello, "AUTH", cmpOr(id.User, "default"), id.Password)
		}
		steps = append(steps, step{hello, checkHello3})
	} else if id.Auth {
		auth := []string{sayAuth, id.Password}
		if id.User != "" {
			auth = []string{sayAuth, id.User, id.Password}
		}
		steps = append(steps, step{auth, checkAccepted})
	}
	if id.DB != 0 {
		steps = append(steps, step{choose, checkSelected})
	}
	if pinned && id.Name != "" {
		steps = append(steps, step{[]string{sayClient, "SETNAME", id.Name}, checkNothing})
	}
	return append(steps, ask...)
}

func cmpOr(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

func checkAccepted(_ *greeted, frame []byte) error {
	if frame[0] != '-' {
		return nil
	}
	if err := checkNode(frame); err != nil {
		return err
	}
	return &Rejected{Frame: bytes.Clone(frame)}
}

func checkHello3(g *greeted, frame []byte) error {
	g.resp3 = frame[0] != '-'
	return checkAccepted(g, frame)
}

func noteSelected(g *greeted, frame []byte) error {
	g.selected = frame[0] != '-'
	return nil
}

func checkSelected(g *greeted, frame []byte) error {
	if g.selected && resp.IsError(frame, "NOPERM") {
		return nil
	}
	return checkAccepted(g, frame)
}

// checkNothing is for what a user may be forbidden to do without harm.
func checkNothing(*greeted, []byte) error { return nil }

func noteClientID(g *greeted, frame []byte) error {
	if frame[0] == ':' {
		g.clientID, _ = strconv.ParseInt(string(bytes.TrimSpace(frame[1:])), 10, 64)
	}
	return nil
}

// checkRole reads ROLE's first element. A user who may not ask (NOAUTH, NOPERM)
// is no fault of the node: the control plane has verified it.
func checkRole(_ *greeted, frame []byte) error {
	if frame[0] == '-' {
		return checkNode(frame)
	}
	if bytes.HasPrefix(frame, []byte("*5\r\n$5\r\nslave\r\n")) {
		return ErrNotMaster
	}
	return nil
}

func checkPing(g *greeted, frame []byte) error {
	if frame[0] == '-' {
		g.needsAuth = resp.IsError(frame, "NOAUTH")
		return checkNode(frame)
	}
	return nil
}

// lateClientID asks for the id once more, if a password was needed for it.
func (g *greeted) lateClientID(ctx context.Context) error {
	if !g.needsAuth || g.clientID != 0 {
		return nil
	}
	return g.greet(ctx, []step{{[]string{sayClient, "ID"}, noteClientID}})
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

// greetAt connects to addr, runs the handshake within ctx, and returns once the node
// has proved to be a master that answers, or with a *Rejected, ErrNotMaster,
// ErrLoading or an error of the network.
func greetAt(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), addr string, steps []step) (greeted, error) {
	nc, err := dial(ctx, "tcp", addr)
	if err != nil {
		return greeted{}, err
	}
	g := greeted{nc: nc}
	err = g.greet(ctx, steps)
	if err == nil && steps[0].args[0] == sayClient { // pinned, and authenticated behind that
		err = g.lateClientID(ctx)
	}
	if err != nil {
		nc.Close()
		return greeted{}, err
	}
	return g, nil
}

func (g *greeted) greet(ctx context.Context, steps []step) error {
	stop := context.AfterFunc(ctx, func() { g.nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var out []byte
	for _, s := range steps {
		out = resp.AppendCommand(out, s.args...)
	}
	if _, err := g.nc.Write(out); err != nil {
		return err
	}
	frames := frameReader{br: bufio.NewReaderSize(g.nc, 512)}
	for _, s := range steps {
		frame, err := frames.next()
		if err != nil {
			return fmt.Errorf("upstream: no answer to %s: %w", strings.ToUpper(s.args[0]), err)
		}
		if err := s.check(g, frame); err != nil {
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
