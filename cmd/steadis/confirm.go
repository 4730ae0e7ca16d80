package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// confirmer asks somebody whether to go on.
type confirmer interface {
	// possible says whether there is somebody to ask.
	possible() bool
	// ask puts the question and gives nil only if the answer is yes.
	ask(ctx context.Context, out io.Writer, question string) error
}

// errNotConfirmed ends a command that was not confirmed.
var errNotConfirmed = &exitError{code: exitFailure, err: errors.New("not confirmed; nothing was touched")}

// terminalConfirmer asks whoever sits at a terminal.
type terminalConfirmer struct{ in *os.File }

func (t terminalConfirmer) possible() bool { return term.IsTerminal(int(t.in.Fd())) }

// lookEvery is how often ask looks whether its context has ended.
const lookEvery = 100 * time.Millisecond

// ask waits for a line until ctx ends. It polls, since a read of a terminal cannot be
// taken back.
func (t terminalConfirmer) ask(ctx context.Context, out io.Writer, question string) error {
	if _, err := fmt.Fprint(out, question); err != nil {
		return err
	}
	for {
		ready := []unix.PollFd{{Fd: int32(t.in.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, int(lookEvery.Milliseconds()))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("wait for the answer: %w", err)
		case err == nil && n > 0:
			return judgeAnswer(bufio.NewReader(t.in).ReadString('\n'))
		}
	}
}

// judgeAnswer takes only a whole yes for one.
func judgeAnswer(answer string, err error) error {
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if !strings.EqualFold(strings.TrimSpace(answer), "yes") {
		return errNotConfirmed
	}
	return nil
}
