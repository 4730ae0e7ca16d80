package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"steadis/config"
)

// bindOnly makes a socket file that nobody listens on, as a killed process leaves it.
func bindOnly(t *testing.T, path string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
}

func TestUnixSockets(t *testing.T) {
	dir := t.TempDir()
	stale, live, file := filepath.Join(dir, "stale"), filepath.Join(dir, "live"), filepath.Join(dir, "file")
	bindOnly(t, stale)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", live)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()

	listener, err := openListener(t.Context(), "unix:"+stale, 0)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	conn, err := net.Dial("unix", stale)
	if err != nil {
		t.Fatalf("the new socket does not answer: %v", err)
	}
	conn.Close()
	listener.Close()
	if _, err := os.Lstat(stale); err == nil {
		t.Error("the socket file stayed behind")
	}
	for path, want := range map[string]string{
		live:                         "another program answers on this socket",
		file:                         "there is a file of this name that is no socket",
		filepath.Join(dir, "no/dir"): "the socket's directory does not exist",
		filepath.Join(file, "below"): "not a directory",
	} {
		if _, err := openListener(t.Context(), "unix:"+path, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	if _, err := net.Dial("unix", live); err != nil {
		t.Errorf("the other program's socket is gone: %v", err)
	}
}

func TestListenersOpenAllOrNone(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	socket := filepath.Join(t.TempDir(), "s")
	if _, err := openSockets(t.Context(), &config.Config{Listen: []string{"unix:" + socket, taken.Addr().String()}}); err == nil || !strings.Contains(err.Error(), "another program has this address") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the first listener stayed open")
	}
	open, err := openSockets(t.Context(), &config.Config{Listen: []string{"127.0.0.1:0", "[::1]:0", ":0"}})
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	open.close()
}

func TestJudgeDescriptors(t *testing.T) {
	tests := []struct {
		limit   uint64
		clients int
		enough  bool
		advice  string
	}{
		{1024, 10000, false, "1024 file descriptors are too few for limits.clients 10000, which needs 10128"},
		{10127, 10000, false, "too few"},
		{10128, 10000, true, "would need 20128"},
		{20127, 10000, true, "would need 20128"},
		{20128, 10000, true, ""},
	}
	for _, test := range tests {
		enough, advice := judgeDescriptors(test.limit, demand{test.clients, 1, 1})
		if enough != test.enough || !strings.Contains(advice, test.advice) || (advice == "") != (test.advice == "") {
			t.Errorf("%d for %d: %v %q", test.limit, test.clients, enough, advice)
		}
	}
}
