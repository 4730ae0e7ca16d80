package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// demoView prints the demo: plain lines, with colours on a terminal. Its methods
// may be called concurrently.
type demoView struct {
	colour bool

	mu  sync.Mutex // one line at a time; writing to out is all that happens under it
	out io.Writer
}

// The escape sequences that a terminal gets.
const (
	dim   = "2"
	red   = "31;1"
	green = "32;1"
	amber = "33"
)

func newDemoView(out io.Writer, environ []string) *demoView {
	plain := slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, "NO_COLOR=") })
	return &demoView{out: out, colour: isTerminal(out) && !plain}
}

func isTerminal(w io.Writer) bool {
	file, isFile := w.(*os.File)
	if !isFile {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (v *demoView) line(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	// A demo whose output is gone still has to end what it started.
	_, _ = fmt.Fprintf(v.out, format+"\n", args...)
}

func (v *demoView) paint(colour, text string) string {
	if !v.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// event prints that somebody did something, at a time relative to the failover.
func (v *demoView) event(at time.Duration, who, what string) {
	colour := amber
	if who == "steadis" || who == "demo" {
		colour = green
	}
	v.line("%s  %s", relative(at), v.paint(colour, fmt.Sprintf("%-10s  %s", who, what)))
}

// bucket prints one line of load.
func (v *demoView) bucket(at time.Duration, perSecond int64, waiting time.Duration) {
	const full = 40
	bar := strings.Repeat("#", min(full, int(perSecond/250)))
	text := fmt.Sprintf("%7d acknowledged/s   longest current wait %6s  %s", perSecond, waiting.Round(time.Millisecond), bar)
	if perSecond == 0 {
		text = v.paint(red, text)
	} else {
		text = v.paint(dim, text)
	}
	v.line("%s  %s", relative(at), text)
}

func (v *demoView) figure(name, format string, args ...any) {
	v.line("  %-14s%s", name, fmt.Sprintf(format, args...))
}

// verdict prints a figure that is good or bad.
func (v *demoView) verdict(name string, good bool, format string, args ...any) {
	colour, mark := green, "ok  "
	if !good {
		colour, mark = red, "BAD "
	}
	v.line("  %-14s%s%s", name, v.paint(colour, mark), fmt.Sprintf(format, args...))
}

func relative(at time.Duration) string { return fmt.Sprintf("%+9.3f s", at.Seconds()) }
