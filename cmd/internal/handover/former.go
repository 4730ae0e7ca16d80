package handover

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"steadis/proxy"
)

// Former is the process that is taken over from, as the new one sees it. Its methods are
// for one goroutine at a time.
type Former struct {
	// NextID is the first CLIENT ID that the new process should use.
	NextID uint64
	// Several says that its clients are of several masters, which are told apart by name.
	Several bool

	link    *link
	sockets map[string]net.Listener // by name; those that nobody has taken yet
}

// Ask asks the process that offers to be taken over at path for its offer. Former is nil
// if there is none. Until Ready it goes on as if nothing was.
func Ask(ctx context.Context, path string) (*Former, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, nil // nobody, or what a killed one left
	case err != nil:
		return nil, fmt.Errorf("cannot ask the steadis that runs to hand over at %s: %w", path, err)
	}
	f := &Former{link: &link{conn: conn.(*net.UnixConn)}, sockets: map[string]net.Listener{}}
	if err := f.ask(); err != nil {
		f.Close()
		return nil, fmt.Errorf("the steadis that runs does not hand over at %s: %w", path, err)
	}
	return f, nil
}

func (f *Former) ask() error {
	if err := f.link.send(message{Kind: kindHello, PID: os.Getpid()}); err != nil {
		return err
	}
	if err := f.link.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	offer, fds, err := f.link.expect(kindOffer)
	if err != nil {
		return err
	}
	if len(fds) != len(offer.Names) {
		closeAll(fds)
		return fmt.Errorf("%d sockets have come for %d names", len(fds), len(offer.Names))
	}
	f.NextID, f.Several = offer.NextID, offer.Several
	for i, fd := range fds {
		file := asFile(fd, offer.Names[i])
		listener, lerr := net.FileListener(file)
		if _, twice := f.sockets[offer.Names[i]]; twice || lerr != nil {
			err = errors.Join(err, fmt.Errorf("the socket %q cannot be used: %w", offer.Names[i], lerr))
		} else {
			f.sockets[offer.Names[i]] = listener
		}
		_ = file.Close() // the listener has a descriptor of its own
	}
	return err
}

// Names lists the sockets that nobody has taken yet.
func (f *Former) Names() []string {
	names := make([]string, 0, len(f.sockets))
	for name := range f.sockets {
		names = append(names, name)
	}
	return names
}

// Take gives the listening socket of a name, which is the caller's from then on; nil if
// there is none. To close it does not end it for the former process, nor remove its file.
func (f *Former) Take(name string) net.Listener {
	listener := f.sockets[name]
	delete(f.sockets, name)
	return listener
}

// CloseRest closes the sockets that nobody has taken.
func (f *Former) CloseRest() {
	for _, listener := range f.sockets {
		_ = listener.Close()
	}
	clear(f.sockets)
}

// Ready says that the caller serves from now on, and returns once the former process
// accepts no more clients. After an error it goes on, unless it has ended.
func (f *Former) Ready(ctx context.Context) error {
	defer f.whileNeeded(ctx)()
	if err := f.link.send(message{Kind: kindReady}); err != nil {
		return fmt.Errorf("the former steadis cannot be told to stop: %w", err)
	}
	if err := f.link.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, _, err := f.link.expect(kindTaken); err != nil {
		return fmt.Errorf("the former steadis does not say that it has stopped: %w", err)
	}
	return nil
}

// Receive takes clients and scripts until the former process has no more, or is gone, or
// ctx ends; it returns how many clients have come. Each comes with the name of its master,
// which a former process of a version that served but one does not give. An error of adopt
// is not Receive's.
func (f *Former) Receive(ctx context.Context, adopt func(net.Conn, proxy.Client, string), script func(body, master string)) (clients int, err error) {
	defer f.whileNeeded(ctx)()
	if err := f.link.conn.SetReadDeadline(time.Time{}); err != nil {
		return 0, err
	}
	var body []byte
	for {
		m, fds, err := f.link.receive()
		switch {
		case err != nil && ctx.Err() != nil:
			return clients, ctx.Err()
		case err != nil:
			return clients, fmt.Errorf("the former steadis has ended before it had given all clients: %w", err)
		case m.Kind == kindEnd:
			return clients, nil
		case m.Kind == kindScript:
			if body = append(body, m.Script...); !m.More {
				script(string(body), m.Master)
				body = nil
			}
		case m.Kind == kindClient && len(fds) == 1:
			file := asFile(fds[0], "client")
			nc, err := net.FileConn(file)
			_ = file.Close() // the connection has a descriptor of its own
			if err == nil {
				clients++
				adopt(nc, m.Client, m.Master)
			}
			continue
		}
		closeAll(fds) // of a message that a later version has
	}
}

// whileNeeded breaks off what waits when ctx ends, until the result is called.
func (f *Former) whileNeeded(ctx context.Context) func() {
	stop := context.AfterFunc(ctx, func() { _ = f.link.conn.Close() })
	return func() { stop() }
}

// Close ends the conversation and closes the sockets that nobody has taken.
func (f *Former) Close() {
	_ = f.link.conn.Close() // nothing is lost
	f.CloseRest()
}
