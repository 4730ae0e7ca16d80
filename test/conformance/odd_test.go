package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"steadis/test/fake"
	"steadis/test/topology"
)

// oddPlay is one way to play an oddity.
type oddPlay struct {
	odd    oddity
	proto  int
	write  bool // the command is a write, else a read
	busy   bool // other clients' commands are in flight meanwhile
	always bool // every time it is asked, not only the first
}

func (p oddPlay) String() string {
	what, when := "read", "idle"
	if p.write {
		what = "write"
	}
	if p.busy {
		when = "busy"
	}
	if p.always {
		when += ", always"
	}
	return fmt.Sprintf("%s (RESP%d, %s, %s)", p.odd.name, p.proto, what, when)
}

// TestOddReplies has a master answer one command with something odd. Whatever it is,
// no other client may ever get a byte that is not its own reply, the upstream
// connection is given up, the client that asked gets what promise P4 says within
// a bounded time, and steadis lives.
func TestOddReplies(t *testing.T) {
	binary := steadisBinary(t)
	if binary == "" {
		t.Skip("there is no steadis")
	}
	real, err := topology.Start(t.Context(), topology.Options{Sentinels: -1, Replicas: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := real.Close(); err != nil {
			t.Error(err)
		}
	})
	jobs := map[int]chan oddPlay{2: make(chan oddPlay), 3: make(chan oddPlay)}
	var workers sync.WaitGroup
	var mu sync.Mutex // guards bad
	bad := map[string][]string{}
	found := func(p string, faults []string) {
		mu.Lock()
		defer mu.Unlock()
		bad[p] = append(bad[p], faults...)
	}
	for i := range 12 {
		proto := 2 + i%2
		st := &oddStack{binary: binary, real: real.Nodes[0].Addr(), dir: t.TempDir(), proto: proto}
		if err := st.begin(); err != nil {
			t.Fatal(err)
		}
		workers.Add(1)
		go st.work(jobs[proto], found, &workers)
	}
	plays := oddPlays()
	only := os.Getenv("TEST_CONFORMANCE_ODD") // part of a row's name, to look at that alone
	for _, p := range plays {
		if strings.Contains(p.String(), only) {
			jobs[p.proto] <- p
		}
	}
	close(jobs[2])
	close(jobs[3])
	workers.Wait()
	rows := 0
	for _, p := range plays {
		if faults := bad[p.String()]; len(faults) > 0 {
			rows++
			t.Errorf("%s, %s", p, clip(p.odd.raw))
			for _, f := range faults {
				t.Errorf("    %s", f)
			}
		}
	}
	for _, f := range bad["steadis"] {
		t.Error(f)
	}
	t.Logf("%d oddities, %d plays, %d of them failed", len(oddities), len(plays), rows)
}

// oddPlays are the plays of all oddities: a read while others are busy and a write
// while they are idle; all ways in the long run.
func oddPlays() (out []oddPlay) {
	for _, o := range oddities {
		for n := range 8 {
			p := oddPlay{odd: o, proto: 2 + n&1, write: n&2 != 0, busy: n&4 != 0}
			usual := p == oddPlay{o, 2, false, true, false} || p == oddPlay{o, 3, true, false, false} ||
				(o.alone || o.unasked) && p == oddPlay{o, 2, false, false, false}
			switch {
			case p.busy && (o.alone || o.unasked), p.write && o.unasked:
			case usual || full():
				out = append(out, p)
			}
		}
	}
	for _, o := range oddities {
		switch o.name {
		case "an unknown type", "half a bulk, and the end", "nothing, and the end", "a bulk without its CRLF":
			out = append(out, oddPlay{o, 2, false, false, true})
		}
	}
	return out
}

// oddStack is a steadis with an odd master of its own. One that has shown a fault is
// thrown away.
type oddStack struct {
	binary, real, dir string
	proto             int

	master  *oddMaster
	watch   *fake.Sentinel
	steadis *topology.Steadis
	crowd   *crowd
	n       int
}

// begin starts everything anew.
func (st *oddStack) begin() (err error) {
	st.master, st.watch, st.steadis, st.crowd = nil, nil, nil, nil
	defer func() {
		if err != nil {
			err = errors.Join(err, st.close())
		}
	}()
	if st.master, err = startOddMaster(st.real); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	st.watch = fake.StartSentinel(ln, "mymaster", st.master.addr())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	st.steadis, err = topology.RunSteadis(ctx, topology.SteadisOptions{Binary: st.binary, Dir: st.dir,
		Args: []string{"--sentinel", st.watch.Addr(), "--master", "mymaster", "--upstream-heartbeat", "200ms", "--hold", "3s", "--drain", "0"}})
	if err != nil {
		return err
	}
	st.crowd, err = newCrowd(st.steadis.Addr, st.proto, 4)
	return err
}

func (st *oddStack) close() error {
	if st.crowd != nil {
		st.crowd.close()
	}
	var err error
	if st.steadis != nil {
		err = st.steadis.Stop()
	}
	if st.watch != nil {
		st.watch.Close()
	}
	if st.master != nil {
		st.master.close()
	}
	return err
}

// work plays what comes until there is no more, and then looks at steadis.
func (st *oddStack) work(jobs <-chan oddPlay, found func(string, []string), workers *sync.WaitGroup) {
	defer workers.Done()
	for p := range jobs {
		faults := append(st.play(p), st.crowd.faults()...)
		if len(faults) > 0 { // what it does to the next one would mean nothing
			faults = append(faults, st.inspect()...)
			if err := st.begin(); err != nil {
				found(p.String(), append(faults, err.Error()))
				break
			}
		}
		found(p.String(), faults)
	}
	for p := range jobs {
		found(p.String(), []string{"not played: there is no steadis to play it with"})
	}
	found("steadis", st.inspect())
}

// inspect ends the stack and says what is wrong with steadis.
func (st *oddStack) inspect() (faults []string) {
	switch use, err := st.steadis.Usage(context.Background()); {
	case !st.steadis.Alive():
		faults = append(faults, "steadis has ended: "+st.steadis.LogTail())
	case err != nil:
		faults = append(faults, "steadis does not say how it is: "+err.Error())
	case use.RSS > 300<<20:
		faults = append(faults, fmt.Sprintf("steadis holds %v", use))
	}
	if err := st.close(); err != nil {
		faults = append(faults, err.Error())
	}
	return faults
}

// play plays one oddity and says what is wrong for the client that asks.
func (st *oddStack) play(p oddPlay) (faults []string) {
	st.n++
	word := fmt.Sprintf("odd-%p-%d", st, st.n)
	asker, err := newLoader(st.steadis.Addr, "asker", p.proto)
	if err != nil {
		return []string{err.Error()}
	}
	defer asker.s.close()
	asker.s.send(encode("SET", word, "fine"))
	asker.s.awaitFrames(1, giveUpWithin)
	if got := joined(asker.s.collect()); got != "+OK\r\n" {
		return []string{fmt.Sprintf("before all: SET answers %q", got)}
	}
	s := st.master.arm(word, p.odd, p.busy, p.always)
	if p.busy {
		st.crowd.start()
	}
	faults = st.ask(asker.s, word, p, s)
	if p.busy {
		st.crowd.halt()
	}
	st.crowd.once()
	if !asker.s.closed && !p.always {
		asker.s.send(encode("GET", word))
		asker.s.awaitFrames(1, giveUpWithin)
		if got := joined(asker.s.collect()); got != fine {
			faults = append(faults, fmt.Sprintf("afterwards the client gets %s for GET", clip(got)))
		}
	}
	return faults
}

// ask sends the command and looks at the answer and at the upstream connection.
func (st *oddStack) ask(s *socket, word string, p oddPlay, sh *shot) (faults []string) {
	command, right := encode("GET", word), fine
	if p.write {
		command, right = encode("SET", word, "fine"), "+OK\r\n"
	}
	begin := time.Now()
	s.send(command)
	s.awaitFrames(1, giveUpWithin)
	got, took := joined(s.collect()), time.Since(begin)
	if p.odd.unasked {
		close(sh.late)
		<-sh.fired
	}
	if fault := judgeOdd(p, got, right, s.closed); fault != "" {
		faults = append(faults, fmt.Sprintf("%s (after %v)", fault, took.Round(time.Millisecond)))
	}
	if bytes.Contains([]byte(got), []byte("own-")) {
		faults = append(faults, fmt.Sprintf("the client gets another one's reply: %s", clip(got)))
	}
	if p.odd.legal || p.always {
		return faults
	}
	select {
	case <-sh.ended:
	case <-time.After(giveUpWithin):
		faults = append(faults, "the upstream connection is not given up")
	}
	return faults
}

// judgeOdd says what is wrong with the answer to the client that asked. A whole
// reply, which an attribute or a push is not, is passed on. Without one, a read runs again and gets its right answer, and
// a write is in doubt: the client is disconnected (promise P4). If it always goes
// wrong, a read ends with an error or the end of the connection.
func judgeOdd(p oddPlay, got, right string, closed bool) string {
	first := ""
	if n, err := cut([]byte(p.odd.raw)); err == nil && n > 0 && !strings.Contains("|>", p.odd.raw[:1]) && !p.odd.unasked {
		first = p.odd.raw[:n]
	}
	switch {
	case p.odd.legal && (got != "" || closed):
		return ""
	case first != "" && got == first:
		return ""
	case p.always && (closed || got != "" && got[0] == '-'):
		return ""
	case p.odd.unasked && got == right, !p.write && first == "" && got == right:
		return ""
	case p.write && first == "" && got == "" && closed:
		return ""
	case got == "" && !closed:
		return fmt.Sprintf("the client waits for more than %v", giveUpWithin)
	}
	return fmt.Sprintf("the client gets %s, closed: %v", clip(got), closed)
}

func joined(frames [][]byte) string { return string(bytes.Join(frames, nil)) }
