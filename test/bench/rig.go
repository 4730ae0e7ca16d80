package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"steadis/test/bench/load"
	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// rig is what all targets stand before: one Redis, and the Sentinels that steadis
// and predixy ask for it. There are no replicas, which would only take processor time.
type rig struct {
	deployment *topology.Deployment
	master     *topology.Node
	files      int // the most descriptors that one process may have
	quiet      int // clients of Redis when nobody makes load
}

// startWithin bounds how long any process may take to serve.
const startWithin = 30 * time.Second

// ownFiles is how many descriptors a process needs besides those of its clients.
const ownFiles = 200

func newRig(ctx context.Context) (*rig, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	files, err := raiseFiles()
	if err != nil {
		return nil, err
	}
	d, err := topology.Start(ctx, topology.Options{
		Replicas: -1,
		// Redis' own limits would be reached by 10,000 clients and by 5,000 that come at once.
		NodeConfig: []string{"maxclients " + strconv.Itoa(files-ownFiles), "tcp-backlog 4096"},
	})
	if err != nil {
		return nil, err
	}
	return &rig{deployment: d, master: d.Nodes[0], files: files}, nil
}

// wantedFiles suffices for a proxy with 10,000 clients that has a connection to Redis
// for each.
const wantedFiles = 65536

// raiseFiles lets this process and its children have as many descriptors as they may,
// and gives the number.
func raiseFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	if limit.Max < wantedFiles {
		most := syscall.Rlimit{Cur: wantedFiles, Max: wantedFiles}
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &most) == nil {
			return wantedFiles, nil
		}
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	return int(min(limit.Max, wantedFiles)), nil
}

func (r *rig) close() error { return r.deployment.Close() }

// keysOf is how many keys of a size a row uses: fewer large ones, for they all are kept.
func keysOf(size int) int {
	if size >= mega {
		return 50
	}
	return load.Keys
}

// fill empties Redis and sets all keys of a row to values of its size.
func (r *rig) fill(ctx context.Context, size int) error {
	c, err := r.master.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Do(ctx, "FLUSHALL"); err != nil {
		return fmt.Errorf("FLUSHALL: %w", err)
	}
	if size == 0 {
		return nil
	}
	value := strings.Repeat("x", size)
	for n := range keysOf(size) {
		if _, err := c.Do(ctx, "SET", load.Key(n), value); err != nil {
			return fmt.Errorf("SET: %w", err)
		}
	}
	return nil
}

// awaitPeace waits until the clients of the former load are gone: until Redis has no
// more connections than without load, or, since proxies keep some, no other number
// than a moment before.
func (r *rig) awaitPeace(ctx context.Context) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	before := -1
	for {
		n, err := r.connected(ctx)
		if err != nil {
			return err
		}
		if n <= r.quiet || n == before {
			return nil
		}
		before = n
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// notePeace remembers how many connections Redis has when there is no load.
func (r *rig) notePeace(ctx context.Context) (err error) {
	r.quiet, err = r.connected(ctx)
	return err
}

func (r *rig) connected(ctx context.Context) (int, error) {
	info, err := r.master.Info(ctx, "clients")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(info["connected_clients"])
}

var errEnded = errors.New("it has ended")

// awaitService waits until the program lets a command through to Redis.
func awaitService(ctx context.Context, p *topology.Program, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := setOnce(ctx, addr)
		if err == nil {
			return nil
		}
		if !p.Alive() {
			return errEnded
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("no service at %s: %w", addr, err)
		}
	}
}

func setOnce(ctx context.Context, addr string) error {
	c, err := wire.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Do(ctx, "SET", "bench:ready", "1")
	return err
}
