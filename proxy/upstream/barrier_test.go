package upstream

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy/resp"
)

// onDurable runs f with a connection whose replies wait for one replica.
func onDurable(t *testing.T, reads, publish bool, f func(t *testing.T, w *wire)) {
	t.Helper()
	onWire(t, nil, func(t *testing.T, w *wire) {
		w.conn.durable = &Durability{Replicas: 1, Timeout: "5000", Reads: reads}
		w.conn.publish = publish
		w.conn.confirmed = func(err error) {
			if err != nil {
				w.note("short: %v", err)
			}
		}
		f(t, w)
	})
}

// staked makes calls; the first letter of a name says what is at stake: w, r, m(ulti),
// e(xec), d(iscard), p(op), anything else nothing.
func (r *record) staked(names ...string) []Call {
	out := r.calls(names...)
	for _, c := range out {
		c := c.(*call)
		c.stake = map[byte]Stake{'w': Writes, 'r': Reads, 'm': Opens, 'e': Closes | Writes, 'd': Closes, 'p': Writes | NullIsNothing}[c.name[0]]
	}
	return out
}

// gotWait checks that a WAIT has come to the other end, behind a PUBLISH or not.
func (w *wire) gotWait(publish bool) {
	w.t.Helper()
	wait := resp.AppendCommand(nil, "WaIT", "1", "5000")
	if publish {
		wait = append(resp.AppendCommand(nil, "PuBLISH", BarrierChannel, ""), wait...)
	}
	w.got(strings.Split(strings.TrimSuffix(string(wait), "\r\n"), "\r\n")...)
}

func TestBarrierWithholdsUntilReplicasHaveIt(t *testing.T) {
	onDurable(t, true, false, func(t *testing.T, w *wire) {
		w.send(w.staked("x1", "w1", "x2", "r1")...)
		w.got("x1", "w1", "x2", "r1")
		w.gotWait(false)
		w.answer("+0\r\n+1\r\n+2\r\n+3\r\n")
		w.want(t, "x1=+0") // nothing is at stake before the write
		w.answer(":1\r\n")
		w.want(t, "w1=+1", "x2=+2", "r1=+3")
	})
}

// TestBarrierForAllThatHasComeMeanwhile: one barrier at a time is under way, and the next is for
// everything that waited.
func TestBarrierForAllThatHasComeMeanwhile(t *testing.T) {
	onDurable(t, true, false, func(t *testing.T, w *wire) {
		w.send(w.staked("w1")...)
		w.got("w1")
		w.gotWait(false)
		w.send(w.staked("w2")...)
		w.send(w.staked("r3", "x4")...)
		w.answer("+1\r\n")
		w.want(t)
		w.answer(":2\r\n")
		w.want(t, "w1=+1")
		w.got("w2", "r3", "x4")
		w.gotWait(false)
		w.answer("+2\r\n+3\r\n+4\r\n:1\r\n")
		w.want(t, "w2=+2", "r3=+3", "x4=+4")
		w.send(w.staked("x5")...)
		w.got("x5") // nothing to wait for
		w.answer("+5\r\n")
		w.want(t, "x5=+5")
	})
}

func TestBarrierOfReads(t *testing.T) {
	for _, tt := range []struct {
		name           string
		reads, publish bool
		call           string
		barrier, pub   bool
	}{
		{"a read that may show anything", false, true, "r", false, false},
		{"a write beside them", false, true, "w", true, true},
		{"a read where WAIT covers all", true, false, "r", true, false},
		{"a read where WAIT covers what was written on the connection", true, true, "r", true, true},
		{"a write there, which may have found all as it should be", true, true, "w", true, true},
		{"an EXEC there, which may have read only", true, true, "e", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onDurable(t, tt.reads, tt.publish, func(t *testing.T, w *wire) {
				w.send(w.staked(tt.call)...)
				w.got(tt.call)
				if !tt.barrier {
					w.answer("+1\r\n")
					w.want(t, tt.call+"=+1")
					return
				}
				w.gotWait(tt.pub)
				w.answer("+1\r\n")
				if tt.pub {
					w.answer(":0\r\n")
				}
				w.want(t)
				w.answer(":1\r\n")
				w.want(t, tt.call+"=+1")
			})
		})
	}
}

func TestBarrierNotPassed(t *testing.T) {
	const tooFew = "short: 0 of 1 replicas had it after 5000 ms"
	for _, tt := range []struct {
		name   string
		answer string
		want   []string
	}{
		{"too few in time", ":0\r\n", []string{tooFew, "w1 unconfirmed", "w2=-ERR no", "x3=+3"}},
		{"the user may not WAIT", "-NOPERM no\r\n", []string{"short: the master answered NOPERM no", "w1 unconfirmed", "w2=-ERR no", "x3=+3"}},
		{"a replica by now", "-ERR WAIT cannot be used with replica instances.\r\n", []string{"end", "w1 withheld", "w2 withheld", "x3 withheld"}},
		{"demoted meanwhile", "-UNBLOCKED force unblock from blocking operation\r\n", []string{"end", "w1 withheld", "w2 withheld", "x3 withheld"}},
		{"a broken connection", "", []string{"end", "w1 withheld", "w2 withheld", "x3 withheld"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onDurable(t, true, false, func(t *testing.T, w *wire) {
				w.send(w.staked("w1", "w2", "x3")...)
				w.answer("+1\r\n-ERR no\r\n+3\r\n" + tt.answer)
				if tt.answer == "" {
					w.peer.Close()
				}
				w.want(t, tt.want...)
			})
		})
	}
	t.Run("a read that may show anything", func(t *testing.T) {
		onDurable(t, false, false, func(t *testing.T, w *wire) {
			w.send(w.staked("w1", "r2")...)
			w.answer("+1\r\n+2\r\n:0\r\n")
			w.want(t, tooFew, "w1 unconfirmed", "r2=+2")
		})
	})
	t.Run("a frame of several", func(t *testing.T) {
		onDurable(t, true, false, func(t *testing.T, w *wire) {
			w.send(&call{record: &w.record, name: "w1", frames: 2, stake: Writes})
			w.answer("+1\r\n+2\r\n:0\r\n")
			w.want(t, tooFew, "w1 unconfirmed")
		})
	})
	t.Run("a transaction that did not run", func(t *testing.T) {
		onDurable(t, true, false, func(t *testing.T, w *wire) {
			w.send(&call{record: &w.record, name: "w1", frames: 2, stake: Writes})
			w.send(&call{record: &w.record, name: "w2", stake: Writes})
			w.answer("+OK\r\n-EXECABORT no\r\n:0\r\n")
			w.want(t, tooFew, "w1=+OK...", "w1=-EXECABORT no")
			w.answer("+2\r\n:0\r\n")
			w.want(t, tooFew, "w2 unconfirmed")
		})
	})
}

// TestBarrierStandsOutsideOfMulti: within MULTI Redis would queue the WAIT.
func TestBarrierStandsOutsideOfMulti(t *testing.T) {
	onDurable(t, true, false, func(t *testing.T, w *wire) {
		w.send(w.staked("w1", "m2", "x3")...)
		w.got("w1")
		w.gotWait(false)
		w.got("m2", "x3")
		w.answer("+1\r\n:1\r\n+OK\r\n+QUEUED\r\n")
		w.want(t, "w1=+1", "m2=+OK", "x3=+QUEUED")
		w.send(w.staked("x4")...)
		w.got("x4")
		w.send(w.staked("e5")...)
		w.got("e5")
		w.gotWait(false)
		w.answer("+QUEUED\r\n*0\r\n")
		w.want(t, "x4=+QUEUED")
		w.answer(":1\r\n")
		w.want(t, "e5=*0")
		w.send(w.staked("m6")...)
		w.answer("-NOPERM no\r\n")
		w.want(t, "m6=-NOPERM no")
		w.got("m6")
		w.send(w.staked("w7")...) // no MULTI is open
		w.got("w7")
		w.gotWait(false)
	})
}

// TestBarrierPausedTakesBackItsCalls: what was not sent takes its barrier with it.
func TestBarrierPausedTakesBackItsCalls(t *testing.T) {
	onDurable(t, true, false, func(t *testing.T, w *wire) {
		w.send(w.staked("w1")...)
		w.got("w1")
		w.gotWait(false)
		w.send(w.staked("w2", "m3")...)
		w.conn.Pause()
		w.want(t, "w2 not_sent", "m3 not_sent")
		w.answer("+1\r\n:1\r\n")
		w.want(t, "w1=+1")
		w.conn.Resume()
		w.send(w.staked("w2")...)
		w.got("w2")
		w.gotWait(false)
		w.answer("+1\r\n:1\r\n")
		w.want(t, "w2=+1")
	})
}

// TestLateRepliesWaitForTheMastersReturn: what a master answers long after commands began to be held
// may be lost with it.
func TestLateRepliesWaitForTheMastersReturn(t *testing.T) {
	paused := func(t *testing.T, after time.Duration, f func(t *testing.T, w *wire)) {
		onWire(t, nil, func(t *testing.T, w *wire) {
			w.conn.private = true
			w.send(w.staked("w1", "r2", "x3")...)
			w.got("w1", "r2", "x3")
			w.conn.Pause()
			time.Sleep(after)
			f(t, w)
		})
	}
	paused(t, trust, func(t *testing.T, w *wire) {
		w.answer("+1\r\n+2\r\n+3\r\n")
		w.want(t, "w1=+1", "r2=+2", "x3=+3")
	})
	late := trust + time.Millisecond
	paused(t, late, func(t *testing.T, w *wire) {
		w.answer("+1\r\n+2\r\n")
		w.want(t)
		w.conn.Resume()
		w.got("*1", "$4", "PiNG")
		w.answer("+3\r\n")
		w.want(t)
		w.answer("+PONG\r\n")
		w.want(t, "w1=+1", "r2=+2", "x3=+3")
		w.send(w.staked("w4")...)
		w.answer("+4\r\n")
		w.want(t, "w4=+4")
	})
	paused(t, late, func(t *testing.T, w *wire) {
		w.answer("+1\r\n+2\r\n")
		w.conn.Close()
		w.want(t, "end", "w1 withheld", "r2 withheld", "x3 in_doubt")
	})
	paused(t, late, func(t *testing.T, w *wire) { // paused again before the master has answered
		w.answer("+1\r\n")
		w.conn.Resume()
		w.got("*1", "$4", "PiNG")
		w.conn.Pause()
		time.Sleep(late)
		w.answer("+2\r\n+3\r\n+PONG\r\n")
		w.want(t)
		w.conn.Resume()
		w.got("*1", "$4", "PiNG")
		w.answer("+PONG\r\n")
		w.want(t, "w1=+1", "r2=+2", "x3=+3")
	})
	onWire(t, nil, func(t *testing.T, w *wire) { // a pop that has popped nothing can be believed
		w.send(w.staked("p1", "p2")...)
		w.conn.Pause()
		time.Sleep(late)
		w.answer("*-1\r\n*1\r\n+x\r\n")
		w.want(t, "p1=*-1")
		w.conn.Close()
		w.want(t, "end", "p2 withheld")
	})
	onWire(t, nil, func(t *testing.T, w *wire) { // in the midst of a MULTI nothing can be asked
		w.conn.private = true
		w.send(w.staked("w1", "m2")...)
		w.conn.Pause()
		time.Sleep(late)
		w.answer("+1\r\n+OK\r\n")
		w.conn.Resume()
		w.want(t, "end", "w1 withheld", "m2 withheld")
	})
}

// TestBarrierDuringAPause: that replicas of a master have it means little once another
// node may be master.
func TestBarrierDuringAPause(t *testing.T) {
	onDurable(t, true, false, func(t *testing.T, w *wire) {
		w.send(w.staked("w1")...)
		w.got("w1")
		w.gotWait(false)
		w.answer("+1\r\n")
		w.conn.Pause()
		time.Sleep(trust + time.Millisecond)
		w.answer(":1\r\n")
		w.want(t)
		w.conn.Resume()
		w.gotWait(false)
		w.answer(":1\r\n")
		w.want(t, "w1=+1")
	})
}

// TestBarrierKeepsMessagesInTheirPlace: a message that makes a cached value void must not come
// before the value.
func TestBarrierKeepsMessagesInTheirPlace(t *testing.T) {
	onDurable(t, true, false, func(t *testing.T, w *wire) {
		w.conn.Speaks(3)
		w.answer(">1\r\n+early\r\n")
		w.send(w.staked("r1")...)
		w.answer("+1\r\n>1\r\n+late\r\n")
		w.want(t, "push >1\r\n+early")
		w.answer(":1\r\n")
		w.want(t, "r1=+1", "push >1\r\n+late")
	})
}

// TestBarrierOfAnUploadThatOutlivesAPause: what the network had a part of already is still to be
// confirmed, once the connection goes on.
func TestBarrierOfAnUploadThatOutlivesAPause(t *testing.T) {
	upload := func(t *testing.T, f func(t *testing.T, w *wire, end func())) {
		onDurable(t, true, false, func(t *testing.T, w *wire) {
			w.conn.private = true
			r, body := io.Pipe()
			w.send(&streamCall{call: call{record: &w.record, name: "w1", stake: Writes}, stream: r})
			w.got("w1")
			w.conn.Pause()
			f(t, w, func() {
				io.WriteString(body, "body\r\n")
				body.Close()
				w.got("body")
				synctest.Wait()
			})
		})
	}
	t.Run("it goes on within", func(t *testing.T) {
		upload(t, func(t *testing.T, w *wire, end func()) {
			w.conn.Resume()
			end()
			w.gotWait(false)
			w.answer("+OK\r\n:1\r\n")
			w.want(t, "w1=+OK")
		})
	})
	for name, early := range map[string]bool{"it goes on behind its end": false, "it goes on behind its reply": true} {
		t.Run(name, func(t *testing.T) {
			upload(t, func(t *testing.T, w *wire, end func()) {
				end()
				if early {
					w.answer("+OK\r\n")
				}
				w.want(t)
				w.peer.SetReadDeadline(time.Now().Add(time.Nanosecond))
				if more, err := w.br.Peek(1); err == nil {
					t.Errorf("the node got %q while the connection was paused", more)
				}
				w.peer.SetReadDeadline(time.Time{})
				w.conn.Resume()
				w.gotWait(false)
				if !early {
					w.answer("+OK\r\n")
				}
				w.answer(":1\r\n")
				w.want(t, "w1=+OK")
				w.send(w.staked("x2")...)
				w.got("x2")
			})
		})
	}
}
