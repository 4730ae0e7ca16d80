package proxy

import (
	"time"

	"go.uber.org/zap"

	"steadis/proxy/seldom"
)

// seldomLine is a line of the log that many clients may give cause for. It may be used
// concurrently.
type seldomLine struct {
	log  *zap.Logger
	gate seldom.Gate
}

// warn writes it, unless that was done a moment ago; then the next one says how often.
func (l *seldomLine) warn(text string, fields ...zap.Field) {
	missed, ok := l.gate.Pass(time.Now())
	if !ok {
		return
	}
	if missed > 0 {
		fields = append(fields, zap.Int64("times_not_logged", missed))
	}
	l.log.Warn(text, fields...)
}
