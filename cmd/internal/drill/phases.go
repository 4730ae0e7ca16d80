package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// phase is what steadis did from a moment on, by this machine's clock.
type phase struct {
	at     time.Time
	name   string // serving, holding, draining, out; unknown while it does not answer
	master string
	reason string
}

// phaseUnknown is the phase while steadis does not say.
const phaseUnknown = "unknown"

// counts are steadis' own counters of held commands.
type counts struct {
	Held     uint64            `json:"held"`
	Released uint64            `json:"released"`
	Refused  map[string]uint64 `json:"refused"`
	Dropped  uint64            `json:"dropped"`
}

// phases asks steadis' admin server for its phase and keeps the changes. Its methods
// may be called concurrently.
type phases struct {
	end  context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex // guards list and last; nothing is called under it
	list  []phase
	last  counts
	valid bool // last is an answer
}

// phaseEvery is how often steadis is asked, and so the accuracy of its phases.
const phaseEvery = 25 * time.Millisecond

// recordPhases asks the admin server until close; without one it records nothing.
// It waits for the first answer.
func (o *Options) recordPhases(ctx context.Context) *phases {
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	p := &phases{end: end}
	if o.Admin == "" {
		return p
	}
	transport := &http.Transport{
		// The address is dialled as it stands: as part of a URL, :9380 would have no host.
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", o.Admin)
		},
	}
	p.ask(ctx, transport)
	p.done.Go(func() { p.follow(ctx, transport) })
	return p
}

func (p *phases) close() {
	p.end()
	p.done.Wait()
}

func (p *phases) follow(ctx context.Context, transport *http.Transport) {
	defer transport.CloseIdleConnections()
	for sleep(ctx, phaseEvery) {
		p.ask(ctx, transport)
	}
}

// ask asks once and keeps what is new.
func (p *phases) ask(ctx context.Context, transport *http.Transport) {
	now := phase{at: time.Now(), name: phaseUnknown}
	said, err := askStatus(ctx, transport)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		now.reason = err.Error()
	} else {
		now.name, now.master, now.reason = said.Proxy.Phase, said.Proxy.Master, said.Proxy.Reason
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.last, p.valid = said.Proxy.Hold, true
	}
	if n := len(p.list); n == 0 || p.list[n-1].name != now.name || now.name == "serving" && p.list[n-1].master != now.master {
		p.list = append(p.list, now)
	}
}

// adminStatus is the part of steadis' /api/status that a drill reads.
type adminStatus struct {
	Proxy struct {
		Phase, Master, Reason string
		Hold                  counts
	}
}

func askStatus(ctx context.Context, transport *http.Transport) (said adminStatus, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://steadis/api/status", nil)
	if err != nil {
		return said, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return said, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("/api/status: %s", response.Status)
	}
	if err != nil {
		return said, err
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return said, fmt.Errorf("/api/status: %w", err)
	}
	if said.Proxy.Phase == "" {
		return said, fmt.Errorf("/api/status has no proxy.phase: is this steadis' admin server?")
	}
	return said, nil
}

// since gives the changes from index first on.
func (p *phases) since(first int) []phase {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.list[min(first, len(p.list)):])
}

// between gives the phases in [from, to]; the first one is what held at from. It is
// pure.
func between(list []phase, from, to time.Time) []phase {
	var some []phase
	for _, p := range list {
		switch {
		case !p.at.After(from):
			p.at = from
			some = []phase{p}
		case !p.at.After(to):
			some = append(some, p)
		}
	}
	return some
}

// counted gives steadis' counters as last read, and whether they ever were.
func (p *phases) counted() (counts, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, p.valid
}

// minus gives what was counted since before.
func (c counts) minus(before counts) counts {
	d := counts{Held: c.Held - before.Held, Released: c.Released - before.Released, Dropped: c.Dropped - before.Dropped, Refused: map[string]uint64{}}
	for why, n := range c.Refused {
		if n -= before.Refused[why]; n > 0 {
			d.Refused[why] = n
		}
	}
	return d
}
