package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"steadis/config"
)

// openListener opens one entry of Config.Listen. A socket file that nobody answers on is
// what a killed process left behind, and is replaced.
func openListener(ctx context.Context, entry string, mode fs.FileMode) (net.Listener, error) {
	network, address := config.SplitListen(entry)
	listen := (&net.ListenConfig{}).Listen
	if network == "unix" {
		listen = func(ctx context.Context, _, path string) (net.Listener, error) { return listenUnix(ctx, path, mode) }
	}
	listener, err := listen(ctx, network, address)
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
