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
	// Dial opens the connections; nil means net.Dialer.
	Dial Dialer
	// Writers is the number of writers, each on its own connection; default 8.
	Writers int
	// Depth is how many commands a writer sends at once before it waits for
	// their replies; default 1.
	Depth int
	// Pause is how long a writer rests after each batch of Depth commands; 0
	// means not at all.
	Pause time.Duration
	// Every makes the load an open loop: a value of each writer falls due every so
	// often, whatever became of the ones before, and Depth and Pause do not count. A
	// writer that waits for a reply sends what has fallen due meanwhile right
	// afterwards, and each value's wait counts from when it was due. 0 means a
	// closed loop: the next value follows the reply.
	Every time.Duration
	// ValueSize is the length in bytes of what is appended; a number that is
	// shorter is padded behind a colon. 0 means no padding.
	ValueSize int
	// KeyPrefix begins the names of the lists; default "steadis:load:".
	KeyPrefix string
}

func (o Options) source() Source {
	return Source{Addr: o.Addr, Username: o.Username, Password: o.Password, Dial: o.Dial}
}

// redialEvery is how long a writer whose connection was dropped waits between
// attempts to connect again.
const redialEvery = 10 * time.Millisecond

func (o Options) withDefaults() Options {
	if o.Writers == 0 {
		o.Writers = 8
	}
	if o.Depth == 0 || o.Every > 0 {
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
		if o.Every > 0 { // the writers' dues are spread evenly
			w.due = o.Every * time.Duration(i) / time.Duration(o.Writers)
		}
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
	if len(l.writers) > 0 {
		r.ValueSize = l.writers[0].options.ValueSize
	}
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
	due     time.Duration // open loop: when the next value falls due, since began
	late    bool          // open loop: it fell due while the writer was busy

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
	c, err := dial(ctx, w.options.source())
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
	pause := time.NewTimer(max(0, w.due-time.Since(w.began)))
	defer pause.Stop()
	for {
		select {
		case <-w.enough:
			return
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		pause.Reset(w.turn(ctx))
	}
}

// turn sends what is to be sent now, or connects again, and gives how long to
// rest afterwards.
func (w *writer) turn(ctx context.Context) (rest time.Duration) {
	if w.conn == nil {
		w.late = true
		if w.connect(ctx) != nil {
			w.record.Redials++
			return redialEvery
		}
	} else if err := w.batch(ctx); err != nil && ctx.Err() == nil {
		w.record.Dropped++
		w.live.dropped.Add(1)
		w.record.DropCauses = append(w.record.DropCauses, err.Error())
		w.hangUp()
	}
	if w.options.Every == 0 {
		return w.options.Pause
	}
	rest = w.due - time.Since(w.began)
	w.late = rest <= 0
	return max(0, rest)
}

// start gives the moment from which the wait of what is sent now counts. In an
// open loop a value that fell due while the writer was busy counts from then; one
// that did not counts from now, since a late timer is not the server's fault.
func (w *writer) start() time.Duration {
	now := time.Since(w.began)
	if w.options.Every == 0 {
		return now
	}
	due := w.due
	w.due += w.options.Every
	if w.late {
		return min(due, now)
	}
	return now
}

// batch sends the next Depth values and waits for their replies. After an error
// the commands without a reply are on record as Unknown.
func (w *writer) batch(ctx context.Context) error {
	conn := w.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	first := len(w.record.Ops)
	sent := w.start()
	w.live.waitingSince.Store(int64(max(1, sent)))
	defer w.live.waitingSince.Store(0)
	for range w.options.Depth {
		w.record.Ops = append(w.record.Ops, Op{Sent: sent})
		conn.Append("RPUSH", w.record.Key, valueOf(len(w.record.Ops), w.options.ValueSize))
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
		if r.Prefix() == prefixUnconfirmed {
			op.Outcome = InDoubt
			w.live.inDoubt.Add(1)
			return nil
		}
		op.Outcome = Refused
		w.live.refused.Add(1)
	default:
		return fmt.Errorf("%w: %v", errNonsense, reply)
	}
	return nil
}
