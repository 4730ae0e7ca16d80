package topology

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are drawn below the kernel's usual ephemeral range (32768 on Linux):
// a client's outgoing connection could otherwise be given the port of a node
// that is down, and the node could not come back.
const (
	firstPort = 15000
	lastPort  = 32000
)

// ErrNoPort says that no free port was found after many draws.
var ErrNoPort = errors.New("no free port on 127.0.0.1")

// drawn remembers the ports of this process, so that two parts of one
// deployment never draw the same before either has bound it.
var drawn = struct {
	mu    sync.Mutex // guards ports
	ports map[int]bool
}{ports: map[int]bool{}}

// FreePort draws a port of 127.0.0.1 that nobody listens on and that this
// process has not drawn before. Another process may still take it: whoever
// binds it must be ready to draw again.
func FreePort() (int, error) {
	for range 200 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if claimPort(port) && bindable(port) {
			return port, nil
		}
	}
	return 0, ErrNoPort
}

// FreeAddr is FreePort as a loopback address.
func FreeAddr() (string, error) {
	port, err := FreePort()
	if err != nil {
		return "", err
	}
	return loopback(port), nil
}

func claimPort(port int) bool {
	drawn.mu.Lock()
	defer drawn.mu.Unlock()
	if drawn.ports[port] {
		return false
	}
	drawn.ports[port] = true
	return true
}

func bindable(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// loopbackIP is where everything runs that has no Host.
const loopbackIP = "127.0.0.1"

func loopback(port int) string { return net.JoinHostPort(loopbackIP, strconv.Itoa(port)) }

// listenLoopback listens on a port that FreePort drew.
func listenLoopback() (net.Listener, error) {
	var last error
	for range 5 {
		addr, err := FreeAddr()
		if err != nil {
			return nil, err
		}
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return l, nil
		}
		last = err
	}
	return nil, fmt.Errorf("listen on loopback: %w", last)
}
