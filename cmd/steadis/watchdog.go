package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// watchdogShare divides WatchdogSec: so often the service manager is told in that time.
const watchdogShare = 3

// watchdog tells the service manager, if it wants to know, that clients are served: not
// that a timer runs, but that a PING of its own has been accepted, dispatched and answered
// as a client's. What the answer is does not matter: without a master it is an error, and a
// new process would have none either. It returns the listeners by which the PINGs come, one for
// each of n services, of which none may be silent.
func watchdog(parts *support, log *zap.Logger, n int) []net.Listener {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the service manager's watchdog cannot be served", zap.Error(err))
	}
	if err != nil || every == 0 {
		return nil
	}
	all, listeners := make([]*inner, n), make([]net.Listener, n)
	for i := range all {
		all[i] = newInner()
		listeners[i] = all[i]
	}
	parts.run("watchdog", func(ctx context.Context) error {
		ticker := time.NewTicker(every / watchdogShare)
		defer ticker.Stop()
		for ctx.Err() == nil {
			if err := pingAll(ctx, all, every/watchdogShare); err != nil && ctx.Err() == nil {
				log.Error("clients are not served; the service manager will start steadis anew if that lasts", zap.Error(err))
			} else {
				tellManager(log, managerAlive)
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
		return nil
	})
	return listeners
}

// pingAll has every service answer a PING, all of them within patience.
func pingAll(ctx context.Context, all []*inner, patience time.Duration) error {
	for _, to := range all {
		if err := pingSelf(ctx, to, patience/time.Duration(len(all))); err != nil {
			return err
		}
	}
	return nil
}

// pingSelf sends a PING and waits for any answer. While the server ends, and accepts
// nobody, there is nothing to prove: that end is bounded by itself.
func pingSelf(ctx context.Context, to *inner, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := to.dial(ctx)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("a connection of its own was not accepted: %w", err)
	}
	defer func() { _ = conn.Close() }() // the answer is what counts
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("*1\r\n$4\r\nPING\r\n")); err != nil {
		return fmt.Errorf("a PING of its own was not read: %w", err)
	}
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		return fmt.Errorf("a PING of its own was not answered: %w", err)
	}
	return nil
}

// inner is a listener within the process.
type inner struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

func newInner() *inner { return &inner{conns: make(chan net.Conn), ended: make(chan struct{})} }

// dial connects, once the other side accepts.
func (l *inner) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.ended:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *inner) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *inner) Close() error {
	l.once.Do(func() { close(l.ended) })
	return nil
}

func (l *inner) Addr() net.Addr { return &net.UnixAddr{Name: "watchdog", Net: "unix"} }
