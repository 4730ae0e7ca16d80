package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// staleTimeout is how long a socket file's owner gets to accept a connection, and how
// long a steadis that is starting in the same directory is waited for.
const staleTimeout = time.Second

// errSocketInUse is about a Unix socket that somebody accepts connections on.
var errSocketInUse = errors.New("another program answers on this socket; stop it, or choose another path")

// listenUnix listens on a socket at path, which gets the mode unless that is 0, in place of
// one that nobody answers on. Of two that do so at one time one fails: the directory is
// locked, for else the second could remove the socket that the first has just made.
func listenUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	ctx, cancel := context.WithTimeout(ctx, staleTimeout)
	defer cancel()
	unlock, err := lockDirectory(ctx, filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	// The kernel gives the file the mode of the socket, less the umask, so that at no
	// time more may connect than should.
	before := func(_, _ string, c syscall.RawConn) error {
		var refused error
		err := c.Control(func(fd uintptr) {
			if mode != 0 {
				refused = syscall.Fchmod(int(fd), uint32(mode))
			}
		})
		return errors.Join(err, refused)
	}
	listener, err := (&net.ListenConfig{Control: before}).Listen(ctx, "unix", path)
	if err != nil || mode == 0 {
		return listener, err
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot give it the mode of unix_mode: %w", err), listener.Close())
	}
	return listener, nil
}

// lockDirectory locks a directory among the processes that do so, until unlock. Nothing
// is left behind in it.
func lockDirectory(ctx context.Context, dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return func() {}, nil // one may be allowed to write to it all the same
	case err != nil:
		return nil, err
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = d.Close() }, nil // which unlocks it
		case errors.Is(err, syscall.EWOULDBLOCK):
		case !errors.Is(err, syscall.EINTR):
			return func() { _ = d.Close() }, nil // a file system without locks
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			_ = d.Close()
			return nil, fmt.Errorf("another program has locked the directory %s for longer than %v; choose another path", dir, staleTimeout)
		}
	}
}

// removeStale removes the socket file at path if nobody answers on it. A file of
// another kind, and a socket that somebody answers on, are errors.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is a file of this name that is no socket; remove it, or choose another path")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close() // it was only to see
		return errSocketInUse
	case !errors.Is(err, syscall.ECONNREFUSED): // too busy to answer is not stale
		return fmt.Errorf("cannot tell whether the socket is still in use: %w", err)
	}
	now, err := os.Lstat(path)
	if err != nil || !os.SameFile(info, now) {
		return errSocketInUse // somebody else has made another one meanwhile
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the socket that an earlier process left: %w", err)
	}
	return nil
}
