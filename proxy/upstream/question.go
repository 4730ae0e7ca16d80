package upstream

import (
	"bytes"
	"context"
	"errors"
)

// errUnanswered says that a connection ended before it had answered all questions.
var errUnanswered = errors.New("upstream: the connection has ended without an answer")

// Ask sends commands, as bytes, behind what the connection has, and returns nil once all of
// them were answered; any answer will do. It returns ErrNotSent if the connection takes no
// calls now, and another error if ctx or the connection ends first. The caller must not be one
// of the connection's goroutines.
func (c *Conn) Ask(ctx context.Context, commands ...[]byte) error {
	_, err := c.ask(ctx, false, commands...)
	return err
}

// Fetch sends one command, as Ask does, and returns its reply.
func (c *Conn) Fetch(ctx context.Context, command []byte) ([]byte, error) {
	return c.ask(ctx, true, command)
}

// ask is Ask; with keep it returns the last answer.
func (c *Conn) ask(ctx context.Context, keep bool, commands ...[]byte) ([]byte, error) {
	answers := make(chan answered, len(commands))
	calls := make([]Call, len(commands))
	for i, wire := range commands {
		calls[i] = &question{wire: wire, keep: keep, answers: answers}
	}
	if err := c.Send(calls); err != nil {
		return nil, err
	}
	var last answered
	for range commands {
		select {
		case last = <-answers:
			if last.lost {
				return nil, errUnanswered
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return last.frame, nil
}

// answered is what became of a question.
type answered struct {
	lost  bool
	frame []byte // if it was to be kept
}

// question is a command of steadis' own whose answer somebody waits for.
type question struct {
	wire    []byte
	keep    bool
	answers chan answered // never full
}

func (q *question) AppendWire(dst []byte) []byte { return append(dst, q.wire...) }
func (q *question) Frames() int                  { return 1 }
func (q *question) ErrorEnds() bool              { return false }
func (q *question) Trusted() bool                { return true }
func (q *question) Stake() Stake                 { return 0 }
func (q *question) Lost(Fate) Owner              { q.answers <- answered{lost: true}; return nil }

func (q *question) Reply(frame []byte, _ bool) Owner {
	var a answered
	if q.keep {
		a.frame = bytes.Clone(frame)
	}
	q.answers <- a
	return nil
}
