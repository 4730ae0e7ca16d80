package restart

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload"
	"steadis/test/workload/wire"
)

// TestTakeOversUnderLoad replaces steadis by a new process again and again. Not one
// connection is lost: writers, each on one connection all the while, and an idle client
// with a database and a name see nothing, nor do those who connect all the time.
func TestTakeOversUnderLoad(t *testing.T) {
	d := startDeployment(t)
	readers, err := topology.FreeAddr()
	must(t, err)
	s := startSteadis(t, d, "--listen-replicas", readers)
	ctx := within(t, time.Duration(restarts(t))*time.Minute)
	idle, reading := newIdler(ctx, t, s.Addr), newReading(ctx, t, readers)
	load, err := workload.Start(ctx, workload.Options{Addr: s.Addr, Writers: 8})
	must(t, err)
	guests := startVisitors(ctx, s.Addr, 2)
	began := time.Now()
	for range restarts(t) {
		awaitWrites(ctx, t, load, 50)
		must(t, s.TakeOver(ctx))
		idle.check(ctx, t)
		reading.check(ctx, t)
	}
	awaitWrites(ctx, t, load, 50)
	took := time.Since(began)
	record := load.Stop(30 * time.Second)
	visits := guests.stop(t)
	checkLoad(ctx, t, d, record)
	t.Logf("%d restarts in %v, %d visits, 0 failed", restarts(t), took.Round(time.Millisecond), visits)
}

// checkLoad reads back what was written: no connection was lost, nothing failed.
func checkLoad(ctx context.Context, t *testing.T, d *topology.Deployment, record *workload.Record) {
	t.Helper()
	master, err := d.Master(ctx)
	must(t, err)
	audit, err := record.Audit(ctx, workload.Source{Addr: master.Addr()})
	must(t, err)
	t.Log(audit)
	if !audit.Flawless() || audit.UnknownPresent+audit.UnknownAbsent > 0 || len(audit.Errors) > 0 {
		t.Errorf("%v; %v %v", audit, audit.DropCauses, audit.Texts)
	}
}

func awaitWrites(ctx context.Context, t *testing.T, load *workload.Load, n int64) {
	t.Helper()
	goal := load.Live().Acknowledged + n
	poll(ctx, t, "writes to go on", func() error {
		if live := load.Live(); live.Acknowledged < goal {
			return fmt.Errorf("%+v: %w", live, errNotYet)
		}
		return nil
	})
}

// idler is a client that is connected all the while, with a state, and says little.
type idler struct {
	conn *wire.Conn
	id   any
	n    int
}

func newIdler(ctx context.Context, t *testing.T, addr string) *idler {
	t.Helper()
	c, err := wire.Dial(ctx, addr)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	i := &idler{conn: c}
	for _, args := range [][]string{{"SELECT", "3"}, {"CLIENT", "SETNAME", "idler"}, {"CLIENT", "SETINFO", "LIB-NAME", "lib"}} {
		if _, err := c.Do(ctx, args...); err != nil && args[1] != "SETINFO" { // Redis 7.2 and later
			t.Fatal(args, err)
		}
	}
	i.id, err = c.Do(ctx, "CLIENT", "ID")
	must(t, err)
	return i
}

// check looks whether the client is who it was.
func (i *idler) check(ctx context.Context, t *testing.T) {
	t.Helper()
	i.n++
	for _, step := range []struct {
		args []string
		want any
	}{{[]string{"CLIENT", "GETNAME"}, "idler"}, {[]string{"CLIENT", "ID"}, i.id}, {[]string{"INCR", "idler"}, int64(i.n)}} {
		got, err := i.conn.Do(ctx, step.args...)
		if err != nil || got != step.want {
			t.Fatalf("%v: %v %v, want %v", step.args, got, err, step.want)
		}
	}
}

// reading is a client of the read-only address that is connected all the while.
type reading struct{ conn *wire.Conn }

func newReading(ctx context.Context, t *testing.T, addr string) *reading {
	t.Helper()
	c, err := wire.Dial(ctx, addr)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	if got, err := c.Do(ctx, "CLIENT", "SETNAME", "reading"); err != nil || got != "OK" {
		t.Fatal(got, err)
	}
	return &reading{c}
}

// check looks whether the client is who it was, and where it was: not at the master.
func (r *reading) check(ctx context.Context, t *testing.T) {
	t.Helper()
	if got, err := r.conn.Do(ctx, "CLIENT", "GETNAME"); err != nil || got != "reading" {
		t.Fatalf("the reader's name is %v, %v", got, err)
	}
	if got, err := r.conn.Do(ctx, "GET", "no such key"); err != nil || got != nil {
		t.Fatalf("GET at the read-only address: %v %v", got, err)
	}
	if got, err := r.conn.Do(ctx, "SET", "no such key", "1"); err == nil || !strings.HasPrefix(err.Error(), "READONLY") {
		t.Fatalf("SET at the read-only address: %v %v", got, err)
	}
}

// TestAClientWithStateIsHandedOverLater: an open transaction and a command that blocks get
// their end in the former process, and their connections go on in the new one; a
// subscriber, of whom that cannot be said, is closed when the time to drain is over.
func TestAClientWithStateIsHandedOverLater(t *testing.T) {
	d := startDeployment(t)
	s := startSteadis(t, d, "--drain", "3s")
	ctx := within(t, 2*time.Minute)
	dial := func() *wire.Conn {
		c, err := wire.Dial(ctx, s.Addr)
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	do := func(c *wire.Conn, want any, args ...string) {
		t.Helper()
		if got, err := c.Do(ctx, args...); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%v: %v %v, want %v", args, got, err, want)
		}
	}
	buyer, waiter, reader := dial(), dial(), dial()
	do(buyer, "OK", "MULTI")
	do(buyer, "QUEUED", "SET", "sold", "1")
	do(reader, "[subscribe news 1]", "SUBSCRIBE", "news")
	waiter.Append("BLPOP", "queue", "0")
	must(t, waiter.Flush())
	pusher := dial()
	poll(ctx, t, "BLPOP to wait", func() error {
		got, err := pusher.Do(ctx, "CLIENT", "LIST")
		must(t, err)
		if !strings.Contains(got.(string), "cmd=blpop") {
			return errNotYet
		}
		return nil
	})

	ended := make(chan error, 1)
	go func() { ended <- s.TakeOver(ctx) }()
	newcomer := dial() // by whomever it is accepted
	do(newcomer, "OK", "SET", "a", "1")
	poll(ctx, t, "another process to take over", func() error {
		if !strings.Contains(logOf(t, s), "taken over: clients are accepted here now") {
			return errNotYet
		}
		return nil
	})
	do(buyer, "[OK]", "EXEC") // in the former process
	do(pusher, 1, "RPUSH", "queue", "x")
	if got, err := waiter.Receive(); err != nil || fmt.Sprint(got) != "[queue x]" {
		t.Fatalf("BLPOP: %v %v", got, err)
	}
	if got, err := reader.Receive(); err == nil {
		t.Errorf("the subscriber got %v, want to be closed", got)
	}
	must(t, <-ended)
	for _, c := range []*wire.Conn{buyer, waiter, pusher, newcomer} {
		do(c, "1", "GET", "sold")
	}
}

// TestASuccessorThatFailsChangesNothing: it is killed before it is ready. The former one
// goes on, and can hand over to another one.
func TestASuccessorThatFailsChangesNothing(t *testing.T) {
	d := startDeployment(t)
	s := startSteadis(t, d)
	ctx := within(t, 2*time.Minute)
	idle := newIdler(ctx, t, s.Addr)
	load, err := workload.Start(ctx, workload.Options{Addr: s.Addr, Writers: 2})
	must(t, err)
	guests := startVisitors(ctx, s.Addr, 1)
	failing, err := s.Beside("--master", "nobody") // who never finds it
	must(t, err)
	poll(ctx, t, "the successor to ask", func() error {
		if !strings.Contains(logOf(t, s), "another process asks to take over") {
			return errNotYet
		}
		return nil
	})
	awaitWrites(ctx, t, load, 50)
	must(t, failing.Kill())
	awaitWrites(ctx, t, load, 50)
	must(t, s.TakeOver(ctx))
	idle.check(ctx, t)
	awaitWrites(ctx, t, load, 50)
	record := load.Stop(30 * time.Second)
	guests.stop(t)
	checkLoad(ctx, t, d, record)
}

// TestASignalStartsTheSuccessor: SIGUSR2, and steadis starts the new process itself.
func TestASignalStartsTheSuccessor(t *testing.T) {
	d := startDeployment(t)
	s := startSteadis(t, d)
	ctx := within(t, 2*time.Minute)
	idle := newIdler(ctx, t, s.Addr)
	must(t, s.Signal(syscall.SIGUSR2))
	poll(ctx, t, "the former process to end", func() error {
		if s.Alive() {
			return errNotYet
		}
		return nil
	})
	idle.check(ctx, t)
	started := regexp.MustCompile(`a new process is started, to take over.*"pid": (\d+)`).FindStringSubmatch(logOf(t, s))
	if started == nil {
		t.Fatalf("the log does not say who has been started:\n%s", s.LogTail())
	}
	pid, err := strconv.Atoi(started[1])
	must(t, err)
	must(t, syscall.Kill(pid, syscall.SIGTERM))
	poll(ctx, t, "the new process to end", func() error {
		if c, err := wire.Dial(ctx, s.Addr); err == nil {
			return errors.Join(errNotYet, c.Close())
		}
		return nil
	})
}
