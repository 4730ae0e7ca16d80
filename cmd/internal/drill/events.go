package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"steadis/test/workload/wire"
)

// happening is what somebody did at a moment, by this machine's clock.
type happening struct {
	at time.Time
	// who is a Sentinel's address.
	who string
	// name is the event, "+try-failover"; text is the rest.
	name, text string
}

// events records what every Sentinel publishes about the master. Its methods may be
// called concurrently.
type events struct {
	master string
	end    context.CancelFunc
	all    sync.WaitGroup

	mu    sync.Mutex // guards list and notes; nothing is called under it
	list  []happening
	notes []string
}

// resubscribeEvery is how long a lost or refused subscription rests.
const resubscribeEvery = time.Second

// recordEvents subscribes to every Sentinel and records until close. It waits until
// each one has confirmed or refused, at most askTimeout; the events of one that
// refuses are missing, and notes says so.
func (o *Options) recordEvents(ctx context.Context) *events {
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	e := &events{master: o.Sentinel.Master, end: end}
	var standing sync.WaitGroup
	for _, addr := range o.Sentinel.Addresses {
		standing.Add(1)
		e.all.Go(func() { e.follow(ctx, o.sentinelAt(addr), standing.Done) })
	}
	standing.Wait()
	return e
}

// close ends the recording and returns once its goroutines have ended.
func (e *events) close() {
	e.end()
	e.all.Wait()
}

// since gives the events from index first on, in the order of their arrival.
func (e *events) since(first int) []happening {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list[min(first, len(e.list)):])
}

// remarks gives what kept events from being seen.
func (e *events) remarks() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.notes)
}

// follow subscribes to one Sentinel, again and again, until ctx ends. tried is
// called once, after the first attempt.
func (e *events) follow(ctx context.Context, from server, tried func()) {
	once := sync.OnceFunc(tried)
	defer once()
	for ctx.Err() == nil {
		err := e.listen(ctx, from, once)
		once()
		var refusal wire.Error
		if errors.As(err, &refusal) {
			e.note(fmt.Sprintf("The events of Sentinel %s are not shown, for it refuses PSUBSCRIBE (%v); allow it with `ACL SETUSER ... +psubscribe allchannels`.", from.addr, refusal))
			return
		}
		if ctx.Err() == nil {
			e.note(fmt.Sprintf("Events of Sentinel %s may be missing: its subscription was lost.", from.addr))
		}
		sleep(ctx, resubscribeEvery)
	}
}

// note keeps a remark once.
func (e *events) note(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.notes, text) {
		e.notes = append(e.notes, text)
	}
}

// listen records on one connection until it fails or ctx ends, and says why.
func (e *events) listen(ctx context.Context, from server, stands func()) error {
	c, err := from.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	_, err = c.Do(asking, "PSUBSCRIBE", "*")
	cancel()
	if err != nil {
		return err
	}
	stands()
	for {
		reply, err := c.Receive()
		if err != nil {
			return err
		}
		message := wire.Strings(reply) // pmessage, pattern, channel, payload
		if len(message) != 4 || message[0] != "pmessage" || !concerns(message[2], message[3], e.master) {
			continue
		}
		e.mu.Lock()
		e.list = append(e.list, happening{at: time.Now(), who: from.addr, name: message[2], text: message[3]})
		e.mu.Unlock()
	}
}

// concerns says whether a Sentinel's message is about the master called name, or
// about none in particular. The formats are in package sentinel, type event. It is
// pure.
func concerns(channel, payload, name string) bool {
	words := strings.Fields(payload)
	switch {
	case channel == "" || channel[0] != '+' && channel[0] != '-':
		return false // hello messages and the like
	case channel == "+new-epoch", channel == "+vote-for-leader", strings.HasSuffix(channel, "tilt"):
		return true
	case channel == "+switch-master":
		return len(words) > 0 && words[0] == name
	case len(words) >= 4 && words[0] == "master":
		return words[1] == name
	case len(words) >= 8 && words[4] == "@":
		return words[5] == name
	}
	return false
}
