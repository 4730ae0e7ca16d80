package faults

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"steadis/test/workload"
)

// openPlain lets the load ask Sentinel itself, with go-redis as it comes.
func openPlain(_ context.Context, _ *testing.T, st *stage) (way, error) {
	logging.Disable() // it tells of every lost connection; the figures do so, too
	host, err := st.network.ClientHost("client")
	if err != nil {
		return way{}, err
	}
	return way{host: host, load: func(ctx context.Context, o workload.Options) (load, error) {
		return startPlain(ctx, st, host.Dial, o)
	}}, nil
}

// plainLoad is the load of test/workload with a client that has its own ideas
// about what to do when something fails: it retries, as go-redis does by default.
type plainLoad struct {
	client  *redis.Client
	options workload.Options
	began   time.Time
	enough  chan struct{}
	give    context.CancelFunc
	all     sync.WaitGroup
	writers []*plainWriter
}

// plainWriter is one writer; its goroutine owns record until it has ended.
type plainWriter struct {
	record                           workload.WriterRecord
	acknowledged, refused, noReplies atomic.Int64
	waitingSince                     atomic.Int64
}

func startPlain(ctx context.Context, st *stage, dial workload.Dialer, o workload.Options) (*plainLoad, error) {
	ctx, give := context.WithCancel(ctx)
	var sentinels []string
	for _, s := range st.d.Sentinels {
		sentinels = append(sentinels, s.Addr())
	}
	l := &plainLoad{
		client: redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: st.d.Name(), SentinelAddrs: sentinels, Dialer: dial, PoolSize: o.Writers,
		}),
		options: o, began: time.Now(), enough: make(chan struct{}), give: give,
	}
	for i := range o.Writers {
		w := &plainWriter{}
		w.record.Key = o.KeyPrefix + strconv.Itoa(i)
		w.record.Errors, w.record.Texts = map[string]int{}, map[string]string{}
		l.writers = append(l.writers, w)
		if err := l.client.Del(ctx, w.record.Key).Err(); err != nil {
			give()
			return nil, errors.Join(err, l.client.Close())
		}
	}
	for _, w := range l.writers {
		l.all.Add(1)
		go l.run(ctx, w)
	}
	return l, nil
}

// Live is what the load has done so far.
func (l *plainLoad) Live() workload.Live {
	var sum workload.Live
	for _, w := range l.writers {
		sum.Acknowledged += w.acknowledged.Load()
		sum.Refused += w.refused.Load()
		sum.Dropped += w.noReplies.Load()
		if since := w.waitingSince.Load(); since != 0 {
			sum.Waiting = max(sum.Waiting, time.Since(l.began)-time.Duration(since))
		}
	}
	return sum
}

// Stop lets the writers finish for at most grace, as workload.Load does.
func (l *plainLoad) Stop(grace time.Duration) *workload.Record {
	close(l.enough)
	timer := time.AfterFunc(grace, l.give)
	l.all.Wait()
	timer.Stop()
	l.give()
	_ = l.client.Close()
	r := &workload.Record{Began: l.began, Ended: time.Now()}
	for _, w := range l.writers {
		r.Writers = append(r.Writers, w.record)
	}
	return r
}

func (l *plainLoad) run(ctx context.Context, w *plainWriter) {
	defer l.all.Done()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-l.enough:
			return
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		l.batch(ctx, w)
		pause.Reset(l.options.Pause)
	}
}

// batch appends the next values, pipelined.
func (l *plainLoad) batch(ctx context.Context, w *plainWriter) {
	sent := time.Since(l.began)
	w.waitingSince.Store(int64(sent))
	defer w.waitingSince.Store(0)
	first := len(w.record.Ops)
	pipe := l.client.Pipeline()
	for range l.options.Depth {
		w.record.Ops = append(w.record.Ops, workload.Op{Sent: sent})
		pipe.RPush(ctx, w.record.Key, len(w.record.Ops))
	}
	replies, err := pipe.Exec(ctx)
	wait := time.Since(l.began) - sent
	for i := first; i < len(w.record.Ops); i++ {
		op := &w.record.Ops[i]
		op.Wait = wait
		one := err
		if i-first < len(replies) {
			one = replies[i-first].Err()
		}
		w.judge(op, one)
	}
}

// judge notes what the client library says of one command. An error that is no
// reply of a server leaves open whether it ran.
func (w *plainWriter) judge(op *workload.Op, err error) {
	var reply redis.Error
	switch {
	case err == nil:
		op.Outcome = workload.Acknowledged
		w.acknowledged.Add(1)
	case errors.As(err, &reply):
		op.Outcome = workload.Refused
		w.refused.Add(1)
		w.note(prefixOf(reply.Error()), reply.Error())
	default:
		w.noReplies.Add(1)
		w.note(noReply, err.Error())
	}
}

func (w *plainWriter) note(class, text string) {
	w.record.Errors[class]++
	w.record.Texts[class] = text
}

// noReply is the class of a plain client's errors that no server sent.
const noReply = "no reply"
