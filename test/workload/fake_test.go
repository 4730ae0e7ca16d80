package workload_test

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"steadis/test/workload/wire"
)

// fakeRedis keeps lists, and may be told to misbehave at a certain value.
type fakeRedis struct {
	// misbehave is asked for every RPUSH; ok is whether to store the value as
	// usual, reply is sent instead of the length if not empty ("hangup" closes).
	misbehave func(f *fakeRedis, key string, value int) (ok bool, reply string)

	listener net.Listener
	all      sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	lists map[string][]string
	conns []net.Conn
	pong  string
}

func startFake(t *testing.T, misbehave func(*fakeRedis, string, int) (bool, string)) *fakeRedis {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeRedis{misbehave: misbehave, listener: l, lists: map[string][]string{}, pong: "+PONG\r\n"}
	f.all.Add(1)
	go f.acceptLoop()
	t.Cleanup(func() {
		_ = l.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			_ = c.Close()
		}
		f.mu.Unlock()
		f.all.Wait()
	})
	return f
}

func (f *fakeRedis) addr() string { return f.listener.Addr().String() }

func (f *fakeRedis) acceptLoop() {
	defer f.all.Done()
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns = append(f.conns, c)
		f.mu.Unlock()
		f.all.Add(1)
		go f.serve(c)
	}
}

func (f *fakeRedis) serve(c net.Conn) {
	defer f.all.Done()
	defer c.Close()
	in := wire.New(c)
	for {
		command, err := in.Receive()
		if err != nil {
			return
		}
		reply := f.answer(wire.Strings(command))
		if reply == "hangup" {
			return
		}
		if _, err := io.WriteString(c, reply); err != nil {
			return
		}
	}
}

func (f *fakeRedis) answer(args []string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch strings.ToUpper(args[0]) {
	case "PING":
		return f.pong
	case "DEL":
		delete(f.lists, args[1])
		return ":1\r\n"
	case "LLEN":
		return fmt.Sprintf(":%d\r\n", len(f.lists[args[1]]))
	case "RPUSH":
		number, _, _ := strings.Cut(args[2], ":")
		value, _ := strconv.Atoi(number)
		ok, reply := true, ""
		if f.misbehave != nil {
			ok, reply = f.misbehave(f, args[1], value)
		}
		if ok {
			f.lists[args[1]] = append(f.lists[args[1]], args[2])
		}
		if reply != "" {
			return reply
		}
		return fmt.Sprintf(":%d\r\n", len(f.lists[args[1]]))
	case "LRANGE":
		return f.lrange(args)
	}
	return "-ERR unknown command\r\n"
}

func (f *fakeRedis) lrange(args []string) string {
	list := f.lists[args[1]]
	first, _ := strconv.Atoi(args[2])
	last, _ := strconv.Atoi(args[3])
	first, last = min(first, len(list)), min(last+1, len(list))
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", last-first)
	for _, e := range list[first:last] {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(e), e)
	}
	return b.String()
}

func (f *fakeRedis) push(key string, value int) {
	f.lists[key] = append(f.lists[key], strconv.Itoa(value))
}
