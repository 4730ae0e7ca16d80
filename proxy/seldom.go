package proxy

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// seldomEvery is the least time between two lines of one kind about clients.
const seldomEvery = 10 * time.Second

// seldom is a line of the log that many clients may give cause for: it is written at most
// once in seldomEvery, with how many times it was not. It may be used concurrently.
type seldom struct {
	log    *zap.Logger
	last   atomic.Int64 // when it was written, in ns since 1970
	missed atomic.Int64
}

func (l *seldom) warn(text string, fields ...zap.Field) {
	now := time.Now().UnixNano()
	last := l.last.Load()
	if last != 0 && now-last < int64(seldomEvery) || !l.last.CompareAndSwap(last, now) {
		l.missed.Add(1)
		return
	}
	if n := l.missed.Swap(0); n > 0 {
		fields = append(fields, zap.Int64("times_not_logged", n))
	}
	l.log.Warn(text, fields...)
}
