package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"steadis/config"
)

// staleTimeout is how long a socket file's owner gets to accept a connection.
const staleTimeout = time.Second

// errSocketInUse is about a Unix socket that somebody accepts connections on.
var errSocketInUse = errors.New("another program answers on this socket; stop it, or choose another path")

// openListeners opens every entry of Config.Listen, or none: what is open is
// closed again if one fails. The error says which one and what to do.
func openListeners(ctx context.Context, entries []string) ([]net.Listener, error) {
	var open []net.Listener
	for _, entry := range entries {
		listener, err := openListener(ctx, entry)
		if err != nil {
			closeListeners(open)
			return nil, err
		}
		open = append(open, listener)
	}
	return open, nil
}

func closeListeners(open []net.Listener) {
	for _, listener := range open {
		_ = listener.Close() // nothing was accepted on it
	}
}

// openListener opens one entry, "host:port" or "unix:/path". A socket file that
// nobody answers on is what a killed process left behind, and is replaced.
func openListener(ctx context.Context, entry string) (net.Listener, error) {
	network, address := config.SplitListen(entry)
	if network == "unix" {
		if err := removeStale(ctx, address); err != nil {
			return nil, fmt.Errorf("cannot listen on %s: %w", entry, err)
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", entry, explainListen(err))
	}
	return listener, nil
}

// explainListen adds to a system's error what to do about it.
func explainListen(err error) error {
	advice := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "another program has this address (`ss -ltnp` shows which); stop it, or choose another address"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "no interface of this machine has this address; choose one that `ip address` shows, or 0.0.0.0 for all"
	case errors.Is(err, syscall.EACCES):
		advice = "this user may not; choose a port from 1024 on or a directory that it may write to, or grant it CAP_NET_BIND_SERVICE"
	case errors.Is(err, fs.ErrNotExist):
		advice = "the socket's directory does not exist; make it first"
	default:
		return err
	}
	return fmt.Errorf("%s (%w)", advice, err)
}

// removeStale removes the socket file at path if nobody answers on it. A file of
// another kind, and a socket that somebody answers on, are errors.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return explainListen(err)
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is a file of this name that is no socket; remove it, or choose another path")
	}
	ctx, cancel := context.WithTimeout(ctx, staleTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close() // it was only to see
		return errSocketInUse
	case !errors.Is(err, syscall.ECONNREFUSED): // too busy to answer is not stale
		return fmt.Errorf("cannot tell whether the socket is still in use: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the socket that an earlier process left: %w", err)
	}
	return nil
}
