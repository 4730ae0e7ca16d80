package proxy_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"steadis/proxy"
)

// goroutines waits until there are at most n goroutines.
func goroutines(t *testing.T, n int, what string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > n; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d goroutines, want at most %d", what, runtime.NumGoroutine(), n)
		}
	}
}

// TestIdleClientsHaveNoGoroutine: they are read by loops, also once they have sent what a
// loop does not read.
func TestIdleClientsHaveNoGoroutine(t *testing.T) {
	front, _, _ := inFront(t, proxy.Options{}, realRedis(t))
	newTalk(t, front).want("SET warm 1", "+OK\r\n")
	const clients, margin = 50, 10
	before := runtime.NumGoroutine()
	var all []*talk
	for range clients {
		all = append(all, newTalk(t, front))
	}
	for i, k := range all {
		k.want("PING", "+PONG\r\n")
		switch i % 3 {
		case 0: // longer than a loop reads at one time
			if err := k.sendBig(100_000, "SET", fmt.Sprint("k", i)); err != nil {
				t.Fatal(err)
			}
			if got, _ := k.take(5, 10*time.Second); string(got) != "+OK\r\n" {
				t.Errorf("SET of a long value: %q", got)
			}
		case 1: // many commands at once
			k.send(strings.Repeat("PING\r\n", 20_000))
			if got, _ := k.take(20_000*7, 10*time.Second); len(got) != 20_000*7 {
				t.Errorf("%d bytes in answer to 20,000 PINGs", len(got))
			}
		}
	}
	for _, k := range all {
		k.want("PING", "+PONG\r\n")
	}
	goroutines(t, before+margin, "clients that have caught up")
}

// TestLastWordsAreAnswered: a client sends a command and at once hangs up its sending side; both come as
// one event.
func TestLastWordsAreAnswered(t *testing.T) {
	front, _, _ := inFront(t, proxy.Options{}, realRedis(t))
	newTalk(t, front).want("SET k value", "+OK\r\n")
	for i := range 200 {
		nc, err := net.Dial("tcp", front)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 { // else it comes together with the connection
			fmt.Fprint(nc, "PING\r\n")
			if _, err := nc.Read(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprint(nc, "GET k\r\n")
		nc.(*net.TCPConn).CloseWrite()
		k := &talk{t: t, nc: nc}
		if got, closed := k.take(100, 10*time.Second); string(got) != "$5\r\nvalue\r\n" || !closed {
			t.Fatalf("client %d: %q, closed %v", i, got, closed)
		}
		nc.Close()
	}
}

// TestALoopServesItsNeighbours: of two clients of one loop one sends a long value slowly.
func TestALoopServesItsNeighbours(t *testing.T) {
	front, _, _ := inFront(t, proxy.Options{}, realRedis(t))
	slow, neighbour := newTalk(t, front), newTalk(t, front)
	neighbour.want("PING", "+PONG\r\n")
	slow.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n")
	for range 10 {
		slow.send(strings.Repeat("v", 100_000))
		neighbour.want("PING", "+PONG\r\n")
	}
	slow.send("\r\n")
	if got, _ := slow.take(5, 10*time.Second); string(got) != "+OK\r\n" {
		t.Errorf("SET of a long value: %q", got)
	}
	neighbour.want("STRLEN k", ":1000000\r\n")
}

// TestNobodyKeepsALoop: clients send without end what makes no command, faster than it is read.
func TestNobodyKeepsALoop(t *testing.T) {
	for _, tt := range []struct{ name, begin, more string }{
		{"empty lines", "", "\r\n"},
		{"no arguments", "", "*0\r\n"},
		{"one long command", "*1000001\r\n$3\r\nDEL\r\n", "$1\r\nk\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			front, _, _ := inFront(t, proxy.Options{}, realRedis(t))
			loops := runtime.GOMAXPROCS(0)
			var neighbours []*talk
			for range loops {
				neighbours = append(neighbours, newTalk(t, front))
			}
			var flooding sync.WaitGroup
			t.Cleanup(flooding.Wait) // behind the closing of them all
			for range loops {
				flood := newTalk(t, front)
				flood.want("PING", "+PONG\r\n")
				flooding.Go(func() {
					piece := []byte(strings.Repeat(tt.more, (1<<20)/len(tt.more)))
					_, err := io.WriteString(flood.nc, tt.begin)
					for err == nil {
						_, err = flood.nc.Write(piece)
					}
				})
			}
			for range 20 {
				for _, k := range neighbours {
					k.send("PING\r\n")
					if got, _ := k.take(7, 10*time.Second); string(got) != "+PONG\r\n" {
						t.Fatalf("the neighbour of one that floods got %q", got)
					}
				}
			}
		})
	}
}

// TestUrgentDataHidesNothing: a read stops short of what is behind an urgent byte, which is, as in
// Redis, no part of what the client says.
func TestUrgentDataHidesNothing(t *testing.T) {
	front, _, _ := inFront(t, proxy.Options{}, realRedis(t))
	k := newTalk(t, front)
	k.want("PING", "+PONG\r\n")
	raw, err := k.nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		failed := raw.Control(func(fd uintptr) { // in one segment
			err = errors.Join(unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, 1),
				unix.Send(int(fd), []byte("PING\r\n!"), unix.MSG_OOB))
			_, wrote := unix.Write(int(fd), []byte("PING\r\n"))
			err = errors.Join(err, wrote, unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, 0))
		})
		if err := errors.Join(failed, err); err != nil {
			t.Fatal(err)
		}
		if got, _ := k.take(14, 10*time.Second); string(got) != "+PONG\r\n+PONG\r\n" {
			t.Fatalf("%q in answer to two PINGs", got)
		}
	}
}
