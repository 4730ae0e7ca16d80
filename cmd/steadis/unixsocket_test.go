package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func TestUnixMode(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o660, 0o770, 0o777} {
		path := filepath.Join(t.TempDir(), "s")
		listener, err := openListener(t.Context(), "unix:"+path, mode)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("the mode is %v, want %v", info.Mode().Perm(), mode)
		}
		listener.Close()
	}
}

// TestTwoReplaceOneStaleSocket: of many that find the same stale socket at one time, one gets
// it and keeps it.
func TestTwoReplaceOneStaleSocket(t *testing.T) {
	for range 10 {
		path := filepath.Join(t.TempDir(), "s")
		bindOnly(t, path)
		var (
			all  sync.WaitGroup
			mu   sync.Mutex // guards open
			open []net.Listener
		)
		for range 8 {
			all.Go(func() {
				listener, err := openListener(t.Context(), "unix:"+path, 0)
				if err != nil {
					if !errors.Is(err, errSocketInUse) {
						t.Errorf("lost with: %v", err)
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				open = append(open, listener)
			})
		}
		all.Wait()
		if len(open) != 1 {
			t.Errorf("%d have got it", len(open))
		}
		if _, err := net.Dial("unix", path); err != nil {
			t.Errorf("the one who has got it does not get clients: %v", err)
		}
		for _, listener := range open {
			listener.Close()
		}
	}
}

func TestLockedDirectory(t *testing.T) {
	dir := t.TempDir()
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := openListener(t.Context(), "unix:"+filepath.Join(dir, "s"), 0); err == nil {
		t.Error("a locked directory was used")
	}
}
