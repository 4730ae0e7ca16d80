package conformance

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// oddMaster stands before a real Redis and passes everything on, one command at a
// time, but a command with an armed word in it: that is answered with the bytes of
// an oddity, once or always.
type oddMaster struct {
	ln   net.Listener
	real string
	wg   sync.WaitGroup // accept, and one serve and one read for each connection

	mu    sync.Mutex // guards the fields below; no I/O under it
	armed map[string]*shot
	conns map[net.Conn]bool
}

// shot is one use of an oddity.
type shot struct {
	odd    oddity
	busy   bool          // wait until other commands are in flight behind it
	always bool          // for every command with the word, not only the first
	fired  chan struct{} // closed when the odd bytes have been written
	ended  chan struct{} // closed when that upstream connection is over
	late   chan struct{} // unasked: closed when the odd bytes may be written
	once   sync.Once
}

func startOddMaster(real string) (*oddMaster, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &oddMaster{ln: ln, real: real, armed: map[string]*shot{}, conns: map[net.Conn]bool{}}
	m.wg.Add(1)
	go m.accept()
	return m, nil
}

func (m *oddMaster) addr() string { return m.ln.Addr().String() }

// close ends every connection and waits for the goroutines.
func (m *oddMaster) close() {
	m.ln.Close()
	m.mu.Lock()
	for nc := range m.conns {
		nc.Close()
	}
	m.mu.Unlock()
	m.wg.Wait()
}

// arm makes commands with the word in it get the oddity.
func (m *oddMaster) arm(word string, o oddity, busy, always bool) *shot {
	s := &shot{odd: o, busy: busy, always: always, fired: make(chan struct{}), ended: make(chan struct{}), late: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed[word] = s
	return s
}

// shotFor takes the shot that a command triggers, if any.
func (m *oddMaster) shotFor(args []string) *shot {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range args {
		if s := m.armed[a]; s != nil {
			if !s.always {
				delete(m.armed, a)
			}
			return s
		}
	}
	return nil
}

func (m *oddMaster) accept() {
	defer m.wg.Done()
	for {
		nc, err := m.ln.Accept()
		if err != nil {
			return
		}
		m.mu.Lock()
		m.conns[nc] = true
		m.mu.Unlock()
		commands := make(chan []string, 4096)
		m.wg.Add(2)
		go m.read(nc, commands)
		go m.serve(nc, commands)
	}
}

// read takes commands off the wire until the peer hangs up.
func (m *oddMaster) read(nc net.Conn, commands chan<- []string) {
	defer m.wg.Done()
	defer close(commands)
	r := bufio.NewReader(nc)
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		commands <- args
	}
}

// serve answers the commands of one connection.
func (m *oddMaster) serve(nc net.Conn, commands chan []string) {
	defer m.wg.Done()
	var shots []*shot
	defer func() {
		nc.Close()
		m.mu.Lock()
		delete(m.conns, nc)
		m.mu.Unlock()
		for range commands { // until read has ended
		}
		for _, s := range shots {
			close(s.ended)
		}
	}()
	real, err := dial(m.real)
	if err != nil {
		return
	}
	defer real.close()
	var held [][]string // taken off the channel already
	for {
		args, ok := next(&held, commands)
		if !ok {
			return
		}
		s := m.shotFor(args)
		if s != nil && !s.odd.unasked {
			shots = appendOnce(shots, s)
			if s.busy {
				hold(&held, commands)
			}
			if !s.fire(nc, commands) {
				return
			}
			continue
		}
		real.send(encode(args...))
		real.awaitFrames(1, 10*time.Second)
		for _, frame := range real.collect() {
			if _, err := nc.Write(frame); err != nil {
				return
			}
		}
		if s != nil {
			shots = appendOnce(shots, s)
			<-s.late
			if !s.fire(nc, commands) {
				return
			}
		}
	}
}

// appendOnce keeps a shot that fires always from being ended twice.
func appendOnce(shots []*shot, s *shot) []*shot {
	if s.always {
		return shots
	}
	return append(shots, s)
}

// next gives the command to be answered next; false at the connection's end.
func next(held *[][]string, commands <-chan []string) ([]string, bool) {
	if len(*held) > 0 {
		args := (*held)[0]
		*held = (*held)[1:]
		return args, true
	}
	args, ok := <-commands
	return args, ok
}

// hold waits a while until another command is in flight behind the one that is to be
// answered.
func hold(held *[][]string, commands <-chan []string) {
	select {
	case args, ok := <-commands:
		if ok {
			*held = append(*held, args)
		}
	case <-time.After(time.Second):
	}
}

// fire writes the odd bytes and does what follows them. False: the connection is
// over.
func (s *shot) fire(nc net.Conn, commands <-chan []string) bool {
	for _, part := range s.odd.parts() {
		if _, err := nc.Write(part); err != nil {
			break
		}
	}
	s.once.Do(func() { close(s.fired) })
	switch s.odd.then {
	case hangUp:
		return false
	case falls:
		for range commands { // nothing more is answered, until the peer hangs up
		}
		return false
	}
	return true
}

// readCommand reads an array of bulk strings.
func readCommand(r *bufio.Reader) ([]string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.Trim(line, "*\r\n"))
	if err != nil {
		return nil, fmt.Errorf("a command begins with %q", line)
	}
	args := make([]string, n)
	for i := range args {
		if line, err = r.ReadString('\n'); err != nil {
			return nil, err
		}
		size, err := strconv.Atoi(strings.Trim(line, "$\r\n"))
		if err != nil {
			return nil, fmt.Errorf("an argument begins with %q", line)
		}
		body := make([]byte, size+2)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, err
		}
		args[i] = string(body[:size])
	}
	return args, nil
}
