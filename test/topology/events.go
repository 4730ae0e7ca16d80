package topology

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"steadis/test/workload/wire"
)

// Event is something that a Sentinel published.
type Event struct {
	At       time.Time
	Sentinel string // the Label of the Sentinel
	Channel  string // "+switch-master"
	Payload  string
}

// String gives the event as one line without its time.
func (e Event) String() string {
	return fmt.Sprintf("%s %s %s", e.Sentinel, e.Channel, e.Payload)
}

// Events records what every Sentinel publishes. Its methods may be called
// concurrently.
type Events struct {
	end context.CancelFunc
	all sync.WaitGroup

	mu   sync.Mutex // guards list
	list []Event
}

// Events subscribes to every Sentinel and returns once all of them have
// confirmed; an event published after that is recorded. The recording goes on
// until Close or until ctx ends; a Sentinel that is restarted is lost to it.
func (d *Deployment) Events(ctx context.Context) (*Events, error) {
	ctx, end := context.WithCancel(ctx)
	e := &Events{end: end}
	for _, s := range d.Sentinels {
		c, err := s.Dial(ctx)
		if err == nil {
			_, err = c.Do(ctx, "PSUBSCRIBE", "*")
		}
		if err != nil {
			e.Close()
			return nil, fmt.Errorf("subscribe to %s: %w", s.Label, err)
		}
		e.all.Add(1)
		go e.record(ctx, s.Label, c)
	}
	return e, nil
}

// Since gives the events from index first on, in the order of their arrival.
func (e *Events) Since(first int) []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	if first >= len(e.list) {
		return nil
	}
	return append([]Event{}, e.list[first:]...)
}

// Close ends the recording and returns once its goroutines have ended. What was
// recorded can still be read.
func (e *Events) Close() {
	e.end()
	e.all.Wait()
}

// record owns c.
func (e *Events) record(ctx context.Context, label string, c *wire.Conn) {
	defer e.all.Done()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer c.Close()
	for {
		reply, err := c.Receive()
		if err != nil {
			return
		}
		message := wire.Strings(reply) // pmessage, pattern, channel, payload
		if len(message) != 4 || message[0] != "pmessage" || strings.HasPrefix(message[2], "__") {
			continue
		}
		e.mu.Lock()
		e.list = append(e.list, Event{At: time.Now(), Sentinel: label, Channel: message[2], Payload: message[3]})
		e.mu.Unlock()
	}
}
