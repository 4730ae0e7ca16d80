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
	end   context.CancelFunc
	ended sync.WaitGroup
	reads Reads // the goroutine's until it has ended
}

// StartReader reads from addr until Stop or until ctx ends. It must not outlive
// writers that are stopped and started again, since they empty their lists.
func (l *Load) StartReader(ctx context.Context, addr, username, password string) *Reader {
	ctx, end := context.WithCancel(ctx)
	r := &Reader{end: end, reads: Reads{Errors: map[string]int{}}}
	r.ended.Add(1)
	go r.run(ctx, l, addr, username, password)
	return r
}

// Stop ends the reading and gives what was seen.
func (r *Reader) Stop() Reads {
	r.end()
	r.ended.Wait()
	return r.reads
}

func (r *Reader) run(ctx context.Context, l *Load, addr, username, password string) {
	defer r.ended.Done()
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		c, err := dial(ctx, addr, username, password)
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
	for i := 0; ; i++ {
		w := l.writers[i%len(l.writers)]
		told := w.live.acknowledged.Load()
		reply, err := c.Do(ctx, "LLEN", w.record.Key)
		var refusal wire.Error
		if errors.As(err, &refusal) {
			r.reads.Errors[refusal.Prefix()]++
			continue
		}
		if err != nil {
			return err
		}
		r.reads.Answered++
		if length, isNumber := reply.(int64); isNumber && length < told {
			r.reads.Stale++
		}
	}
}
