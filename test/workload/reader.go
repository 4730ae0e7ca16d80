package workload

import (
	"context"
	"errors"
	"sync"
	"time"

	"steadis/test/workload/wire"
)

// Reads is what a Reader saw.
type Reads struct {
	// Ops are the reads that got a reply, in their order, and those that lost their
	// connection; Sent is since Record.Began of the load.
	Ops []Op
	// Answered counts reads with a reply that is no error.
	Answered int
	// Stale counts reads that missed writes which had been acknowledged before
	// the read was sent: they came from a replica or from a deposed master, or
	// the writes are lost.
	Stale int
	// Errors counts error replies by prefix.
	Errors map[string]int
	// Dropped counts lost connections and attempts to connect that failed.
	Dropped int
}

// Reader reads the lengths of a load's lists, over a connection of its own, and
// holds them against what the writers had been told.
type Reader struct {
	from  Source
	every time.Duration
	end   context.CancelFunc
	ended sync.WaitGroup
	reads Reads // the goroutine's until it has ended
}

// StartReader reads from addr, as fast as it can, until Stop or until ctx ends. It
// must not outlive writers that are stopped and started again, since they empty
// their lists.
func (l *Load) StartReader(ctx context.Context, addr, username, password string) *Reader {
	return l.StartPacedReader(ctx, Source{Addr: addr, Username: username, Password: password}, 0)
}

// StartPacedReader is StartReader with at most one read in every.
func (l *Load) StartPacedReader(ctx context.Context, from Source, every time.Duration) *Reader {
	ctx, end := context.WithCancel(ctx)
	r := &Reader{from: from, every: every, end: end, reads: Reads{Errors: map[string]int{}}}
	r.ended.Add(1)
	go r.run(ctx, l)
	return r
}

// Stop ends the reading and gives what was seen.
func (r *Reader) Stop() Reads {
	r.end()
	r.ended.Wait()
	return r.reads
}

func (r *Reader) run(ctx context.Context, l *Load) {
	defer r.ended.Done()
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		c, err := dial(ctx, r.from)
		if err == nil {
			err = r.readAlong(ctx, l, c)
			_ = c.Close()
		}
		if err != nil && ctx.Err() == nil {
			r.reads.Dropped++
		}
		again.Reset(redialEvery)
	}
}

// readAlong asks for one list after the other until the connection or ctx ends.
func (r *Reader) readAlong(ctx context.Context, l *Load, c *wire.Conn) error {
	pace := time.NewTimer(0)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pace.C:
		}
		began := time.Now()
		if err := r.read(ctx, l, c, l.writers[i%len(l.writers)]); err != nil {
			return err
		}
		pace.Reset(max(0, r.every-time.Since(began)))
	}
}

// read asks for one list. An error means that the connection is lost.
func (r *Reader) read(ctx context.Context, l *Load, c *wire.Conn, w *writer) error {
	op := Op{Sent: time.Since(l.began)}
	told := w.live.acknowledged.Load()
	reply, err := c.Do(ctx, "LLEN", w.record.Key)
	op.Wait = time.Since(l.began) - op.Sent
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var refusal wire.Error
	switch {
	case errors.As(err, &refusal):
		op.Outcome = Refused
		r.reads.Errors[refusal.Prefix()]++
		err = nil
	case err == nil:
		op.Outcome = Acknowledged
		r.reads.Answered++
		if length, isNumber := reply.(int64); isNumber && length < told {
			r.reads.Stale++
		}
	}
	r.reads.Ops = append(r.reads.Ops, op)
	return err
}
