//go:build !race && linux

// Budgets are measured without the race detector, which takes memory of its own:
// make test runs this file in a pass of its own.

package proxy_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"steadis/proxy"
)

// TestAllocationsPerCommand keeps the budget of the data path: a pipeline of plain commands
// allocates nothing of its own, for each batch's memory is used again. What is counted is
// the test's, and what the collector takes from the pools. The master allocates nothing.
func TestAllocationsPerCommand(t *testing.T) {
	reply := []byte("+OK\r\n")
	nc := dial(t, startBefore(t, proxy.Options{}, okMaster(t)))
	defer nc.Close()
	br := bufio.NewReaderSize(nc, 64<<10)
	const depth = 100
	batch := strings.Repeat("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n", depth)
	buf := make([]byte, depth*len(reply))
	round := func() {
		io.WriteString(nc, batch)
		if _, err := io.ReadFull(br, buf); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		round()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rounds = 200
	for range rounds {
		round()
	}
	runtime.ReadMemStats(&after)
	each := float64(after.Mallocs-before.Mallocs) / (rounds * depth)
	size := float64(after.TotalAlloc-before.TotalAlloc) / (rounds * depth)
	t.Logf("%.2f allocations and %.0f bytes a command", each, size)
	if each > 0.2 {
		t.Errorf("%.2f allocations a command, want at most 0.2", each)
	}
	if size > 200 {
		t.Errorf("%.0f bytes a command, want at most 200", size)
	}
}

// TestIdleConnection bounds what an idle client costs in heap and stacks. The clients' ends
// are bare sockets, which cost none.
func TestIdleConnection(t *testing.T) {
	addr, _ := start(t, proxy.Options{})
	const clients = 1000
	before := used()
	for range clients {
		fd := bareClient(t, addr)
		if _, err := syscall.Write(fd, []byte("PING\r\n")); err != nil {
			t.Fatal(err)
		}
		var reply [16]byte
		if n, err := syscall.Read(fd, reply[:]); err != nil || string(reply[:n]) != "+PONG\r\n" {
			t.Fatalf("got %q, %v", reply[:n], err)
		}
	}
	each := (used() - before) / clients
	t.Logf("%d bytes for each idle client", each)
	if each > 20<<10 {
		t.Errorf("%d bytes for each idle client, want at most 20 kB", each)
	}
}

// bareClient connects a blocking socket that ends with the test.
func bareClient(t *testing.T, addr string) (fd int) {
	t.Helper()
	to := netip.MustParseAddrPort(addr)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		t.Fatal(err)
	}
	return fd
}

// used returns the bytes in use. A collection halves a stack that is too large for who is
// idle; it takes some for all.
func used() int64 {
	for range 4 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// okMaster is a master that says so, and OK to everything else.
func okMaster(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { ln.Close() })
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { sayOK(nc) })
		}
	})
	return ln.Addr().String()
}

func sayOK(nc net.Conn) {
	defer nc.Close()
	buf, out := make([]byte, 64<<10), make([]byte, 0, 64<<10)
	for {
		n, err := nc.Read(buf)
		if err != nil {
			return
		}
		out = out[:0]
		if bytes.Contains(buf[:n], []byte("ROLE")) {
			out = append(out, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n+PONG\r\n"...)
		} else {
			for range bytes.Count(buf[:n], []byte("*")) {
				out = append(out, "+OK\r\n"...)
			}
		}
		if _, err := nc.Write(out); err != nil {
			return
		}
	}
}
