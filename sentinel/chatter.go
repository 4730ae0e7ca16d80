package sentinel

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// A Sentinel that comes and goes must not fill the log: of each one, chatterLines lines
// about its connections are written in chatterWindow. Once that is over, one line says
// how many changes were left out and how it is now.
const (
	chatterWindow = time.Minute
	chatterLines  = 8
)

// chatter counts the lines about one Sentinel.
type chatter struct {
	since       time.Time
	lines, left int
}

// say logs a change of m's connections, or counts it as left out.
func (s *state) say(m *member, now time.Time, level zapcore.Level, text string, fields ...zap.Field) {
	c := &m.chatter
	if c.left == 0 && now.Sub(c.since) >= chatterWindow {
		*c = chatter{since: now}
	}
	if c.lines == chatterLines {
		c.left++
		return
	}
	c.lines++
	s.log(level, text, append([]zap.Field{zap.String("sentinel", m.addr)}, fields...)...)
}

// updateChatter tells what was left out, when its time is over.
func (s *state) updateChatter(now time.Time) {
	for _, a := range s.order {
		m := s.members[a]
		if c := &m.chatter; c.left > 0 && now.Sub(c.since) >= chatterWindow {
			s.log(zapcore.WarnLevel, "sentinel comes and goes", zap.String("sentinel", m.addr), zap.Int("changes_left_out", c.left),
				zap.Bool("connected", m.up), zap.Bool("subscribed", m.subscribed), zap.String("error", m.why))
			*c = chatter{since: now}
		}
	}
}
