package drill

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Progress shows a drill while it runs: lines for what happens, and the state of the
// load, on a terminal as a last line that changes in place, elsewhere as a line a second. Its
// methods may be called concurrently.
type Progress struct {
	// Live: out is a terminal, at most Width columns wide (0: unknown). Colour: it
	// shows colours.
	Live, Colour bool
	Width        int

	mu     sync.Mutex // guards what follows; writing to out is all that happens under it
	out    io.Writer
	status string    // the last line as it stands on the terminal
	shown  time.Time // when the last state was shown
}

// NewProgress makes a Progress that writes to out.
func NewProgress(out io.Writer) *Progress { return &Progress{out: out} }

// How often the state is shown.
const (
	liveEvery  = 200 * time.Millisecond
	plainEvery = time.Second
)

// Line prints a line.
func (p *Progress) Line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if p.status != "" {
		text = "\r\x1b[K" + text
	}
	// A drill whose output is gone still has to end what it began.
	_, _ = io.WriteString(p.out, text+"\n"+p.status)
}

// The colours of who speaks, as a terminal has them.
const (
	colourDrill    = "36;1"
	colourSentinel = "33"
	colourSteadis  = "32"
	colourBad      = "31;1"
	colourDim      = "2"
)

func (p *Progress) paint(colour, text string) string {
	if !p.Colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// event prints what somebody did, at a time relative to the trigger.
func (p *Progress) event(at time.Duration, colour, who, what string) {
	p.Line("%s  %s", moment(at), p.paint(colour, fmt.Sprintf("%-21s  %s", who, what)))
}

func moment(at time.Duration) string { return fmt.Sprintf("%+9.3f s", at.Seconds()) }

// state is the load at one moment.
type state struct {
	at                                      time.Duration
	perSecond                               int64
	acknowledged, inDoubt, refused, dropped int64
	waiting                                 time.Duration
	phase                                   string
}

func (s state) String() string {
	text := fmt.Sprintf("%s  %7s writes/s  waiting %7s  acknowledged %s", moment(s.at), grouped(int(s.perSecond)),
		s.waiting.Round(time.Millisecond), grouped(int(s.acknowledged)))
	if s.phase != "" {
		text += "  steadis " + s.phase
	}
	for _, bad := range []struct {
		n    int64
		name string
	}{{s.inDoubt, "in doubt"}, {s.refused, "errors"}, {s.dropped, "dropped"}} {
		if bad.n > 0 {
			text += fmt.Sprintf("  %s %d", bad.name, bad.n)
		}
	}
	return text
}

// due says whether the state should be shown now.
func (p *Progress) due(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	every := plainEvery
	if p.Live {
		every = liveEvery
	}
	if now.Sub(p.shown) < every {
		return false
	}
	p.shown = now
	return true
}

// show prints the state.
func (p *Progress) show(s state) {
	text, colour := s.String(), colourDim
	if s.perSecond == 0 {
		colour = colourBad
	}
	if !p.Live {
		p.Line("%s", p.paint(colour, text))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Width > 0 && len(text) >= p.Width {
		text = text[:p.Width-1]
	}
	p.status = p.paint(colour, strings.TrimRight(text, " "))
	_, _ = io.WriteString(p.out, "\r\x1b[K"+p.status)
}

// settle ends the line that changes in place, and keeps it.
func (p *Progress) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status != "" {
		p.status = ""
		_, _ = io.WriteString(p.out, "\n")
	}
}
