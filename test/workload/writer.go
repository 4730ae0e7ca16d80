package workload

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"steadis/test/workload/wire"
)

// Options says who writes where.
type Options struct {
	// Addr is where to connect (host:port).
	Addr string
	// Username and Password are for AUTH; no AUTH if the password is empty.
	Username, Password string
	// Writers is the number of writers, each on its own connection; default 8.
	Writers int
	// Depth is how many commands a writer sends at once before it waits for
	// their replies; default 1.
	Depth int
	// Pause is how long a writer rests after each batch of Depth commands; 0
	// means not at all.
	Pause time.Duration
	// KeyPrefix begins the names of the lists; default "steadis:load:".
	KeyPrefix string
}

// redialEvery is how long a writer whose connection was dropped waits between
// attempts to connect again.
const redialEvery = 10 * time.Millisecond

func (o Options) withDefaults() Options {
	if o.Writers == 0 {
		o.Writers = 8
	}
	if o.Depth == 0 {
		o.Depth = 1
	}
	if o.KeyPrefix == "" {
		o.KeyPrefix = "steadis:load:"
	}
	return o
}

// Load is a running load. Live may be called at any time, Stop once.
type Load struct {
	began   time.Time
	writers []*writer
	all     sync.WaitGroup
	enough  chan struct{}      // closed: writers end after their batch
	give    context.CancelFunc // ends what still waits
}

// Start connects all writers and starts them. The lists that they write are
// deleted first. The load runs until Stop or until ctx ends; in the latter case
// Stop must still be called.
func Start(ctx context.Context, o Options) (*Load, error) {
	o = o.withDefaults()
	ctx, give := context.WithCancel(ctx)
	l := &Load{began: time.Now(), enough: make(chan struct{}), give: give}
	for i := range o.Writers {
		w := &writer{options: o, began: l.began, enough: l.enough}
		w.record.Key = o.KeyPrefix + strconv.Itoa(i)
		w.record.Errors, w.record.Texts = map[string]int{}, map[string]string{}
		l.writers = append(l.writers, w)
		if err := w.prepare(ctx); err != nil {
			give()
			for _, w := range l.writers {
				w.hangUp()
			}
			return nil, fmt.Errorf("writer %d: %w", i, err)
		}
	}
	for _, w := range l.writers {
		l.all.Add(1)
		go func() {
			defer l.all.Done()
			w.run(ctx)
		}()
	}
	return l, nil
}

// Stop lets every writer finish its batch, for at most grace, and then gives up
// what still waits (its outcome is Unknown). It returns once all writers have
// ended.
func (l *Load) Stop(grace time.Duration) *Record {
	close(l.enough)
	timer := time.AfterFunc(grace, l.give)
	l.all.Wait()
	timer.Stop()
	l.give()
	r := &Record{Began: l.began, Ended: time.Now()}
	for _, w := range l.writers {
		r.Writers = append(r.Writers, w.record)
	}
	return r
}

// Live is what a running load has done so far.
type Live struct {
	Acknowledged, InDoubt, Refused, Dropped int64
	// Waiting is how long the longest waiting writer has waited for a reply.
	Waiting time.Duration
}

// Live sums up all writers.
func (l *Load) Live() Live {
	var sum Live
	now := time.Since(l.began)
	for _, w := range l.writers {
		sum.Acknowledged += w.live.acknowledged.Load()
		sum.InDoubt += w.live.inDoubt.Load()
		sum.Refused += w.live.refused.Load()
		sum.Dropped += w.live.dropped.Load()
		if since := w.live.waitingSince.Load(); since != 0 {
			sum.Waiting = max(sum.Waiting, now-time.Duration(since))
		}
	}
	return sum
}

// writer is one writer. Its goroutine owns everything but live.
type writer struct {
	options Options
	began   time.Time
	enough  <-chan struct{}
	conn    *wire.Conn
	record  WriterRecord

	live struct {
		acknowledged, inDoubt, refused, dropped atomic.Int64
		waitingSince                            atomic.Int64 // since began; 0 while nothing waits
	}
}

// prepare connects and empties the list.
func (w *writer) prepare(ctx context.Context) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	_, err := w.conn.Do(ctx, "DEL", w.record.Key)
	return err
}

func (w *writer) connect(ctx context.Context) error {
	c, err := dial(ctx, w.options.Addr, w.options.Username, w.options.Password)
	if err != nil {
		return err
	}
	w.conn = c
	w.record.InDoubtPerConn = append(w.record.InDoubtPerConn, 0)
	return nil
}

func (w *writer) hangUp() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

func (w *writer) run(ctx context.Context) {
	defer w.hangUp()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-w.enough:
			return
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		rest := w.options.Pause
		if w.conn == nil {
			if w.connect(ctx) != nil {
				w.record.Redials++
				rest = redialEvery
			}
		} else if err := w.batch(ctx); err != nil && ctx.Err() == nil {
			w.record.Dropped++
			w.live.dropped.Add(1)
			w.record.DropCauses = append(w.record.DropCauses, err.Error())
			w.hangUp()
		}
		pause.Reset(rest)
	}
}

// batch sends the next Depth values and waits for their replies. After an error
// the commands without a reply are on record as Unknown.
func (w *writer) batch(ctx context.Context) error {
	conn := w.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	first := len(w.record.Ops)
	sent := time.Since(w.began)
	w.live.waitingSince.Store(int64(sent))
	defer w.live.waitingSince.Store(0)
	for range w.options.Depth {
		w.record.Ops = append(w.record.Ops, Op{Sent: sent})
		conn.Append("RPUSH", w.record.Key, strconv.Itoa(len(w.record.Ops)))
	}
	err := conn.Flush()
	for i := first; i < len(w.record.Ops); i++ {
		op := &w.record.Ops[i]
		var reply any
		if err == nil {
			reply, err = conn.Receive()
		}
		op.Wait = time.Since(w.began) - sent
		if err == nil {
			err = w.judge(op, reply)
		}
	}
	return err
}

// errNonsense says that a reply is none that RPUSH can have.
var errNonsense = errors.New("RPUSH was answered with something else than a number")

// judge notes what a reply says.
func (w *writer) judge(op *Op, reply any) error {
	switch r := reply.(type) {
	case int64:
		op.Outcome = Acknowledged
		w.live.acknowledged.Add(1)
	case wire.Error:
		w.record.Errors[r.Prefix()]++
		w.record.Texts[r.Prefix()] = r.Error()
		if r.Prefix() == prefixInDoubt {
			op.Outcome = InDoubt
			w.live.inDoubt.Add(1)
			w.record.InDoubtPerConn[len(w.record.InDoubtPerConn)-1]++
			return nil
		}
		op.Outcome = Refused
		w.live.refused.Add(1)
	default:
		return fmt.Errorf("%w: %v", errNonsense, reply)
	}
	return nil
}

// dial connects and, if there is a password, authenticates.
func dial(ctx context.Context, addr, username, password string) (*wire.Conn, error) {
	c, err := wire.Dial(ctx, addr)
	if err != nil || password == "" {
		return c, err
	}
	auth := []string{"AUTH", password}
	if username != "" {
		auth = []string{"AUTH", username, password}
	}
	if _, err := c.Do(ctx, auth...); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("AUTH: %w", err)
	}
	return c, nil
}
