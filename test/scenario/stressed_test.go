package scenario

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"steadis/proxy"
)

// fortune is what a client knows of a value.
type fortune uint8

const (
	refused fortune = iota // certainly not run
	unsure                 // may have run
	acknowledged
)

// stressed is one client of the stress.
type stressed struct {
	w     *world
	id    int
	r     *rand.Rand
	kinds string // what it does: p(lain) g(roup) t(ransaction) w(atch) b(locking) h(ang-up) s(elect)
	mode  proxy.InDoubt
	n     int
	fate  map[string]fortune
	c     *client
	fault string
}

func (s *stressed) failf(format string, args ...any) {
	if s.fault == "" {
		s.fault = fmt.Sprintf(format, args...)
	}
}

func (s *stressed) value() string {
	s.n++
	v := fmt.Sprintf("%d-%d", s.id, s.n)
	s.fate[v] = refused
	return v
}

func (s *stressed) list() string { return fmt.Sprintf("l%d", s.id) }

func encode(cmds ...string) []byte {
	var b []byte
	for _, cmd := range cmds {
		words := strings.Fields(cmd)
		b = fmt.Appendf(b, "*%d\r\n", len(words))
		for _, w := range words {
			b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
		}
	}
	return b
}

// exchange sends commands and reads a reply for each. ok is false once the
// connection has been closed; what it has not answered is "".
func (s *stressed) exchange(cmds ...string) (replies []string, ok bool) {
	replies = make([]string, len(cmds))
	s.c.nc.SetDeadline(time.Now().Add(3 * time.Minute))
	if _, err := s.c.nc.Write(encode(cmds...)); err != nil {
		return replies, false
	}
	if strings.Contains(s.kinds, "h") && s.r.IntN(20) == 0 {
		s.c.nc.Close()
		return replies, false
	}
	for i := range replies {
		got, err := s.c.read()
		if err != nil {
			if isTimeout(err) {
				s.failf("client %d: no reply to %q (%d of %v) in 3 minutes", s.id, cmds[i], i, cmds)
			}
			return replies, false
		}
		replies[i] = got
		switch {
		case strings.HasPrefix(got, "LOADING "), strings.HasPrefix(got, "INDOUBT ") && s.mode != proxy.InDoubtClose:
		case strings.HasPrefix(cmds[i], "ECHO ") && got != strings.TrimPrefix(cmds[i], "ECHO ") && got != "QUEUED":
			s.failf("client %d: %s got %q among %v -> %q", s.id, cmds[i], got, cmds, replies)
		case cmds[i] == "PING" && got != "PONG":
			s.failf("client %d: PING got %q among %v -> %v", s.id, got, cmds, replies)
		case strings.HasPrefix(got, "ERR"), strings.HasPrefix(got, "READONLY"), strings.HasPrefix(got, "UNBLOCKED"), strings.HasPrefix(got, "INDOUBT"):
			s.failf("client %d: %s got %q among %v -> %q", s.id, cmds[i], got, cmds, replies)
		}
	}
	return replies, true
}

// judge notes the fate of a value by the reply to the command that decides it.
func (s *stressed) judge(v, reply string, sent bool) {
	switch {
	case reply == "":
		if sent {
			s.fate[v] = unsure
		}
	case strings.HasPrefix(reply, "LOADING"), strings.HasPrefix(reply, "EXECABORT"), reply == "nil":
		s.fate[v] = refused
	case strings.HasPrefix(reply, "INDOUBT"):
		s.fate[v] = unsure
	default:
		s.fate[v] = acknowledged
	}
}

// step does one thing; false: the connection is gone.
func (s *stressed) step() bool {
	kind := s.kinds[s.r.IntN(len(s.kinds))]
	switch kind {
	case 'g':
		v, e := s.value(), s.value()
		got, ok := s.exchange("ECHO "+e, "MULTI", "RPUSH "+s.list()+" "+v, "ECHO "+e, "EXEC", "ECHO "+e)
		s.judge(v, got[4], true)
		return ok
	case 't', 'w':
		v := s.value()
		if kind == 'w' {
			if _, ok := s.exchange("WATCH x"); !ok {
				return false
			}
		}
		got, ok := s.exchange("MULTI")
		if !ok {
			return false
		}
		if strings.HasPrefix(got[0], "LOADING") {
			_, ok = s.exchange("UNWATCH")
			return ok
		}
		if _, ok = s.exchange("RPUSH " + s.list() + " " + v); !ok {
			return false
		}
		got, ok = s.exchange("EXEC")
		s.judge(v, got[0], true)
		return ok
	case 'b':
		v := s.value()
		got, ok := s.exchange("RPUSH q"+v+" x", "BLPOP q"+v+" 1", "ECHO "+v)
		if ok && got[0] == "1" && got[1] != "[q"+v+" x]" && got[1] != "nil" && !strings.HasPrefix(got[1], "LOADING") {
			s.failf("client %d: BLPOP got %q", s.id, got[1])
		}
		return ok
	case 's':
		v := s.value()
		got, ok := s.exchange("SELECT 1", "ECHO "+v, "SELECT 0", "PING", "ECHO "+v)
		return ok && got[2] == "OK" // refused: in which database it is does not matter, a new connection is in 0
	case 'h':
		_, ok := s.exchange("PING")
		return ok
	}
	var cmds, values []string
	for range 1 + s.r.IntN(8) {
		v := s.value()
		values = append(values, v)
		if s.r.IntN(3) > 0 {
			cmds = append(cmds, "RPUSH "+s.list()+" "+v)
		} else {
			cmds = append(cmds, "ECHO "+v)
		}
	}
	got, ok := s.exchange(cmds...)
	for i, cmd := range cmds {
		if strings.HasPrefix(cmd, "RPUSH") {
			s.judge(values[i], got[i], true)
		}
	}
	return ok
}

func (s *stressed) run(stop <-chan struct{}, done *sync.WaitGroup) {
	defer done.Done()
	for {
		select {
		case <-stop:
			if s.c != nil {
				s.c.nc.Close()
			}
			return
		default:
		}
		if s.c == nil {
			nc, err := s.w.net.Dial(context.Background(), "tcp", front)
			if err != nil {
				s.failf("dial: %v", err)
				return
			}
			s.c = &client{t: s.w.t, nc: nc, br: bufio.NewReader(nc)}
		}
		if !s.step() {
			s.c.nc.Close()
			s.c = nil
		}
		if s.fault != "" {
			return
		}
		time.Sleep(time.Duration(s.r.IntN(200)) * time.Millisecond)
	}
}
