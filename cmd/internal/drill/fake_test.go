package drill

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"steadis/test/workload/wire"
)

// What a fakeServer does instead of replying.
const (
	hangUp    = "hang up"
	sayNought = "say nothing"
)

// fakeServer answers commands as a test wants.
type fakeServer struct {
	// answer gives the reply to a command, with its words in capitals.
	answer   func(command string) string
	listener net.Listener
	all      sync.WaitGroup

	mu    sync.Mutex // guards what follows
	asked []string
	conns []net.Conn
}

func startServer(t *testing.T, answer func(command string) string) *fakeServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{answer: answer, listener: listener}
	f.all.Go(f.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			_ = c.Close()
		}
		f.mu.Unlock()
		f.all.Wait()
	})
	return f
}

func (f *fakeServer) addr() string { return f.listener.Addr().String() }

func (f *fakeServer) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns = append(f.conns, c)
		f.mu.Unlock()
		f.all.Go(func() { f.serve(c) })
	}
}

func (f *fakeServer) serve(c net.Conn) {
	defer c.Close()
	in := wire.New(c)
	for {
		words, err := in.Receive()
		if err != nil {
			return
		}
		command := strings.ToUpper(strings.Join(wire.Strings(words), " "))
		f.mu.Lock()
		f.asked = append(f.asked, command)
		f.mu.Unlock()
		switch reply := f.answer(command); reply {
		case hangUp:
			return
		case sayNought:
		default:
			if _, err := io.WriteString(c, reply); err != nil {
				return
			}
		}
	}
}

// commands gives what was asked so far.
func (f *fakeServer) commands() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.asked...)
}

// always answers every command with reply.
func always(reply string) func(string) string { return func(string) string { return reply } }
