package upstream

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"steadis/test/fake"
)

// wire is a Conn whose other end the test holds.
type wire struct {
	record
	t    *testing.T
	conn *Conn
	peer net.Conn
	br   *bufio.Reader
	ends error // why the connection ended
}

// onWire runs f in a bubble; wrap, if not nil, replaces the near end.
func onWire(t *testing.T, wrap func(net.Conn) net.Conn, f func(t *testing.T, w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := fake.Pipe()
		if wrap != nil {
			near = wrap(near)
		}
		w := &wire{t: t, peer: far, br: bufio.NewReader(far)}
		w.conn = newConn(greeted{nc: near}, Origin{Generation: 7}, w.push, func(_ *Conn, err error) { w.ends = err; w.note("end") })
		var wg sync.WaitGroup
		w.conn.start(&wg, 16)
		f(t, w)
		w.conn.Close()
		far.Close()
		wg.Wait()
	})
}

func (w *wire) push(frame []byte) Owner {
	w.note("push %s", frame[:len(frame)-2])
	return nil
}

func (w *wire) send(calls ...Call) {
	w.t.Helper()
	if err := w.conn.Send(calls); err != nil {
		w.t.Error(err)
	}
	synctest.Wait()
}

// refused checks that the connection takes nothing.
func (w *wire) refused() {
	w.t.Helper()
	if err := w.conn.Send(w.calls("x")); !errors.Is(err, ErrNotSent) {
		w.t.Error("Send:", err)
	}
}

func (w *wire) answer(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.peer, text); err != nil {
		w.t.Error(err)
	}
	synctest.Wait()
}

// got checks which lines have come to the other end.
func (w *wire) got(names ...string) {
	w.t.Helper()
	for _, name := range names {
		if line, err := w.br.ReadString('\n'); line != name+"\r\n" {
			w.t.Errorf("the node got %q (%v), want %q", line, err, name)
		}
	}
}

// valve is a connection of which each Write waits for leave to write so many
// bytes, and fails if they are not all.
type valve struct {
	net.Conn
	leave chan int
	once  sync.Once
	shut  chan struct{}
}

// over puts the valve, of which the channels must be of the bubble, over nc.
func (v *valve) over(nc net.Conn) net.Conn {
	v.Conn, v.leave, v.shut = nc, make(chan int), make(chan struct{})
	return v
}

func (v *valve) Write(p []byte) (int, error) {
	select {
	case n := <-v.leave:
		if n >= len(p) {
			return v.Conn.Write(p)
		}
		n, _ = v.Conn.Write(p[:n])
		return n, io.ErrShortWrite
	case <-v.shut:
		return 0, net.ErrClosed
	}
}

func (v *valve) Close() error {
	v.once.Do(func() { close(v.shut) })
	return v.Conn.Close()
}

const all = 1 << 30 // leave to write everything

func TestConnKeepsTheOrder(t *testing.T) {
	onWire(t, nil, func(t *testing.T, w *wire) {
		w.send(w.calls("a", "b")...)
		w.send(w.calls("c")...)
		w.got("a", "b", "c")
		w.answer("+1\r\n:2\r\n")
		w.want(t, "a=+1", "b=:2")
		w.answer("$1\r\nx\r\n")
		w.want(t, "c=$1\r\nx")
	})
}

func TestConnFramesSplitAtEveryByte(t *testing.T) {
	text := "*2\r\n$3\r\na\r\n\r\n:1\r\n" + "-ERR no\r\n" + "%1\r\n+k\r\n_\r\n"
	for cut := 1; cut < len(text); cut++ {
		onWire(t, nil, func(t *testing.T, w *wire) {
			w.send(w.calls("a", "b", "c")...)
			w.answer(text[:cut])
			w.answer(text[cut:])
			w.want(t, "a=*2\r\n$3\r\na\r\n\r\n:1", "b=-ERR no", "c=%1\r\n+k\r\n_")
		})
	}
	onWire(t, nil, func(t *testing.T, w *wire) {
		w.send(w.calls("a", "b", "c")...)
		for i := range len(text) {
			w.answer(text[i : i+1])
		}
		w.want(t, "a=*2\r\n$3\r\na\r\n\r\n:1", "b=-ERR no", "c=%1\r\n+k\r\n_")
	})
}

func TestConnHugeReplies(t *testing.T) {
	onWire(t, nil, func(t *testing.T, w *wire) {
		huge := "$3000000\r\n" + strings.Repeat("x", 3_000_000) + "\r\n"
		for range 3 {
			w.send(w.calls("a", "b", "c")...)
			w.answer("+OK\r\n" + huge + ":1\r\n")
			w.want(t, "a=+OK", "b=3000012 bytes", "c=:1")
		}
	})
}

func TestConnPauseTakesBackWhatWasNotSent(t *testing.T) {
	v := new(valve)
	onWire(t, v.over, func(t *testing.T, w *wire) {
		w.send(w.calls("a")...) // being written
		w.send(w.calls("b", "c")...)
		w.conn.Pause()
		w.want(t, "b not_sent", "c not_sent")
		w.refused()
		w.conn.Pause()
		v.leave <- all
		w.answer("+1\r\n")
		w.want(t, "a=+1")
		w.conn.Resume()
		w.send(w.calls("d")...)
		v.leave <- all
		w.got("a", "d")
		w.answer("+2\r\n")
		w.want(t, "d=+2")
	})
}

func TestConnWhatWasNotWrittenWasNotSent(t *testing.T) {
	for _, tt := range []struct {
		name  string
		bytes int
		want  []string
	}{
		{"nothing", 0, []string{"end", "aa not_sent", "bb not_sent", "cc not_sent", "dd not_sent"}},
		{"a part", 3, []string{"end", "aa in_doubt", "bb not_sent", "cc not_sent", "dd not_sent"}},
		{"one", 4, []string{"end", "aa in_doubt", "bb not_sent", "cc not_sent", "dd not_sent"}},
		{"one and a byte", 5, []string{"end", "aa in_doubt", "bb in_doubt", "cc not_sent", "dd not_sent"}},
		{"all but a byte", 11, []string{"end", "aa in_doubt", "bb in_doubt", "cc in_doubt", "dd not_sent"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := new(valve)
			onWire(t, v.over, func(t *testing.T, w *wire) {
				w.send(w.calls("aa", "bb", "cc")...)
				w.send(w.calls("dd")...)
				v.leave <- tt.bytes
				w.want(t, tt.want...)
				if !errors.Is(w.ends, io.ErrShortWrite) {
					t.Error("why it ended:", w.ends)
				}
			})
		})
	}
	t.Run("closed by the peer meanwhile", func(t *testing.T) {
		v := new(valve)
		onWire(t, v.over, func(t *testing.T, w *wire) {
			w.send(w.calls("aa", "bb")...)
			w.peer.Close()
			w.want(t, "end", "aa not_sent", "bb not_sent")
			if !errors.Is(w.ends, io.EOF) {
				t.Error("why it ended:", w.ends)
			}
		})
	})
}

// TestConnClosedBeforeItWrote: writeLoop was woken and had not come to write.
func TestConnClosedBeforeItWrote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := fake.Pipe()
		defer far.Close()
		var r record
		c := newConn(greeted{nc: near}, Origin{Generation: 1}, noPush, func(*Conn, error) {})
		if err := c.Send(r.calls("a", "b")); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if buf, _ := c.takePending(); buf != nil {
			t.Errorf("%q is taken to be written on a closed connection", buf)
		}
		var wg sync.WaitGroup
		c.start(&wg, 16)
		wg.Wait()
		r.want(t, "a not_sent", "b not_sent")
	})
}

func TestConnLostRepliesAreInDoubt(t *testing.T) {
	onWire(t, nil, func(t *testing.T, w *wire) {
		w.send(w.calls("a", "b", "c")...)
		w.answer("+1\r\n")
		w.peer.Close()
		w.want(t, "a=+1", "end", "b in_doubt", "c in_doubt")
		w.refused()
	})
}

func TestConnDrainsOnLoading(t *testing.T) {
	v := new(valve)
	onWire(t, v.over, func(t *testing.T, w *wire) {
		w.send(w.calls("a", "b")...)
		v.leave <- all
		w.send(w.calls("c")...) // being written
		w.send(w.calls("d")...)
		w.answer("-LOADING Redis is loading the dataset in memory\r\n")
		w.want(t, "a not_executed", "d not_sent")
		w.refused()
		v.leave <- all
		w.answer("+2\r\n+3\r\n")
		w.want(t, "b=+2", "c=+3", "end")
		if !errors.Is(w.ends, errDrained) {
			t.Error(w.ends)
		}
	})
}

func TestConnOfADemotedNode(t *testing.T) {
	for _, text := range []string{
		"-READONLY You can't write against a read only replica.\r\n",
		"-MASTERDOWN Link with MASTER is down\r\n",
		"-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n",
		"-EXECABORT Transaction discarded because of: READONLY You can't write\r\n",
	} {
		onWire(t, nil, func(t *testing.T, w *wire) {
			w.send(w.calls("a", "b", "c", "d")...)
			w.answer("+1\r\n" + text + "$-1\r\n+stale\r\n")
			w.want(t, "a=+1", "end", "b not_executed", "c not_executed", "d not_executed")
			if !errors.Is(w.ends, errDemoted) {
				t.Error(w.ends)
			}
		})
	}
}

// TestConnScriptsProveNothing: a script may answer anything.
func TestConnScriptsProveNothing(t *testing.T) {
	for _, text := range []string{
		"-LOADING Redis is loading the dataset in memory", "-READONLY no", "-MASTERDOWN x",
		"-READONLY You can't write against a read only replica. Or so I say.",
		"-UNBLOCKED force unblock from blocking operation",
		"-EXECABORT Transaction discarded because of: READONLY x",
	} {
		onWire(t, nil, func(t *testing.T, w *wire) {
			w.send(&call{record: &w.record, name: "eval", untrusted: true})
			w.send(w.calls("b")...)
			w.answer(text + "\r\n+2\r\n")
			frame := text
			if len(text) > 58 {
				frame = ""
			}
			lines := w.lines
			if len(lines) != 2 || !strings.HasPrefix(lines[0], "eval="+frame) || lines[1] != "b=+2" {
				t.Errorf("%s: %q", text, lines)
			}
			w.lines = nil
			w.send(w.calls("c")...)
		})
	}
}

func TestConnScriptOnAReplica(t *testing.T) {
	for _, tail := range []string{"", " script: 67ed14c1, on @user_script:1."} {
		onWire(t, nil, func(t *testing.T, w *wire) {
			w.send(&call{record: &w.record, name: "eval", untrusted: true})
			w.send(w.calls("b")...)
			w.answer("-READONLY You can't write against a read only replica." + tail + "\r\n")
			w.want(t, "eval not_executed")
			w.refused()
			w.answer("+2\r\n")
			w.want(t, "b=+2", "end")
		})
	}
}

func TestConnGroups(t *testing.T) {
	group := func(w *wire) Call { return &call{record: &w.record, name: "g", frames: 3} }
	for _, tt := range []struct {
		name, answer string
		want         []string
	}{
		{"good", "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n+b\r\n", []string{"g=+OK...", "g=+QUEUED...", "g=*1\r\n:1", "b=+b"}},
		{"refused in all", "+OK\r\n-LOADING x\r\n-EXECABORT Transaction discarded because of previous errors.\r\n+b\r\n",
			[]string{"g=+OK...", "g not_executed", "b=+b", "end"}},
		{"refused at first", "-LOADING x\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: LOADING x\r\n+b\r\n",
			[]string{"g not_executed", "b=+b", "end"}},
		{"mixed", "-LOADING x\r\n:1\r\n-ERR EXEC without MULTI\r\n+b\r\n", []string{"g in_doubt", "b=+b", "end"}},
		{"mixed does not stick", "-LOADING x\r\n:1\r\n:2\r\n-LOADING x\r\n", []string{"g in_doubt", "b not_executed", "end"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onWire(t, nil, func(t *testing.T, w *wire) {
				w.send(append([]Call{group(w)}, w.calls("b")...)...)
				w.answer(tt.answer)
				w.want(t, tt.want...)
			})
		})
	}
}

func TestConnErrorEndsACall(t *testing.T) {
	onWire(t, nil, func(t *testing.T, w *wire) {
		w.send(&call{record: &w.record, name: "sub", frames: 2, errorsEnds: true})
		w.send(w.calls("b")...)
		w.answer("-NOPERM x\r\n+b\r\n")
		w.want(t, "sub=-NOPERM x", "b=+b")
	})
}

func TestConnUnaskedReplyEndsIt(t *testing.T) {
	for _, tt := range []struct {
		text string
		want error
	}{{"+x\r\n", errUnasked}, {">2\r\n+a\r\n+b\r\n", errPush}, {"?\r\n", nil}} {
		onWire(t, nil, func(t *testing.T, w *wire) {
			w.answer(tt.text)
			w.want(t, "end")
			if w.ends == nil || tt.want != nil && !errors.Is(w.ends, tt.want) {
				t.Error(w.ends)
			}
		})
	}
}

func TestConnPushesAreOfSubscribedConnections(t *testing.T) {
	onWire(t, nil, func(t *testing.T, w *wire) {
		w.conn.Subscribed(true)
		w.send(w.calls("a")...)
		w.answer(">2\r\n+a\r\n+b\r\n*3\r\n$7\r\nmessage\r\n+c\r\n+d\r\n*2\r\n$7\r\nmessage\r\n+e\r\n")
		w.want(t, "push >2\r\n+a\r\n+b", "push *3\r\n$7\r\nmessage\r\n+c\r\n+d", "a=*2\r\n$7\r\nmessage\r\n+e")
	})
}

func TestIsMessage(t *testing.T) {
	for frame, want := range map[string]bool{
		"*3\r\n$7\r\nmessage\r\n": true, "*4\r\n$8\r\npmessage\r\n": true, "*3\r\n$8\r\nsmessage\r\n": true, ">1\r\n": false,
		"*3\r\n$9\r\nsubscribe\r\n": false, "*4\r\n$7\r\nmessage\r\n": false, "+message\r\n": false, "*3\r\n": false,
	} {
		if got := IsMessage([]byte(frame), true); got != want {
			t.Errorf("%q: %v", frame, got)
		}
	}
}

// TestConnSendsNothingIntoAnUnfinishedReply: what comes behind a reply whose end never
// comes would be taken for a part of it.
func TestConnSendsNothingIntoAnUnfinishedReply(t *testing.T) {
	for _, begun := range []string{"*2\r\n+x\r\n", "$5\r\nab", "+x", "%1\r\n+k\r\n", "|1\r\n+k\r\n+v\r\n", "*1\r\n", "$5\r\nabcde\r"} {
		onWire(t, nil, func(t *testing.T, w *wire) {
			w.send(w.calls("a")...)
			w.got("a")
			w.answer(begun)
			w.send(w.calls("b")...)
			w.conn.Close()
			w.want(t, "end", "a in_doubt", "b not_sent") // so it was not written
		})
	}
	onWire(t, nil, func(t *testing.T, w *wire) {
		w.send(w.calls("a")...)
		w.got("a")
		w.answer("*2\r\n+x\r\n")
		w.send(w.calls("b")...)
		w.send(w.calls("c")...)
		w.answer("+y\r\n")
		w.got("b", "c")
		w.answer("+1\r\n+2\r\n")
		w.want(t, "a=*2\r\n+x\r\n+y", "b=+1", "c=+2")
	})
}

// TestConnStalledWithinAReply: the node answers elsewhere, and within a reply nothing
// comes: it is broken.
func TestConnStalledWithinAReply(t *testing.T) {
	onWire(t, nil, func(t *testing.T, w *wire) {
		w.send(w.calls("a")...)
		begin := time.Now()
		stalled := func(after time.Duration) bool { return w.conn.stalled(begin.Add(after), 0) }
		if stalled(0) || stalled(time.Hour) {
			t.Error("a connection without a limit is not stalled before its reply begins")
		}
		w.answer("*2\r\n+x\r\n")
		for _, after := range []time.Duration{0, 0, brokenReply - 1} { // the first look sees progress
			if stalled(after) {
				t.Error("stalled too early")
			}
		}
		if !stalled(brokenReply) {
			t.Error("not stalled although the reply does not go on")
		}
	})
}

// TestConnReplyEndsWithTheBuffer: a reply that came in two parts ends where the buffer
// of 16 bytes does.
func TestConnReplyEndsWithTheBuffer(t *testing.T) {
	onWire(t, nil, func(t *testing.T, w *wire) {
		w.send(w.calls("a")...)
		w.answer("*2\r\n+x\r\n")
		w.answer("+yyyyy\r\n")
		w.want(t, "a=*2\r\n+x\r\n+yyyyy")
	})
}
