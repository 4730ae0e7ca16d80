package proxy

import (
	"context"
	"fmt"
	"time"
)

const (
	drainedLook = 2 * time.Millisecond
	// pinnedPatience is how long connections of single clients are waited for: one of
	// them may owe a reply for as long as its client wants to block.
	pinnedPatience = 200 * time.Millisecond
)

// Drained returns once commands are held and the master has answered all that it was
// sent: then nothing that came through here is under way there. Connections of single
// clients, which may block, are waited for 200 ms more. It returns an error when ctx ends
// first. It may be called concurrently.
func (s *Server) Drained(ctx context.Context) error {
	ticker := time.NewTicker(drainedLook)
	defer ticker.Stop()
	var quiet time.Time // since when no shared connection owes a reply
	for {
		open := s.pool.Gate().Open
		shared, pinned := s.pool.Busy()
		switch now := s.now(); {
		case open || shared > 0:
			quiet = time.Time{}
		case pinned == 0:
			return nil
		case quiet.IsZero():
			quiet = now
		case now.Sub(quiet) >= pinnedPatience:
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if open {
				return fmt.Errorf("commands are not held yet: %w", ctx.Err())
			}
			return fmt.Errorf("the master still owes replies on %d shared and %d private connections: %w", shared, pinned, ctx.Err())
		}
	}
}
