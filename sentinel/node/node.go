package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"steadis/sentinel"
)

// Role is what a node says it is.
type Role uint8

const (
	// Unasked: it has not been asked.
	Unasked Role = iota
	// Master and Replica: it says so.
	Master
	Replica
	// CannotSay: it is there but refuses ROLE and INFO alike.
	CannotSay
	// Silent: no connection, no answer, or an answer that is none.
	Silent
)

// String is the word that logs and reports use.
func (r Role) String() string {
	return [...]string{"", "master", "replica", "cannot say", "no answer"}[min(r, Silent)]
}

// Said is what a node answered at one moment. It is not changed.
type Said struct {
	Role Role
	// Detail says why the role is CannotSay or Silent, or that ROLE was refused.
	Detail string
	// ReplID names the history that the node has, its own or its master's, and
	// OlderID the one that it continues; Offset is how much of it the node has, in
	// bytes. Empty and -1 if INFO is refused.
	ReplID, OlderID string
	Offset          int64
	// LinkUp, of a replica: it is connected to its master and in step; Syncing: it is
	// being given a whole copy.
	LinkUp, Syncing bool
	// Replicas, of a master: who replicates from it, host and port as they announce
	// themselves.
	Replicas [][2]string
}

// Asker asks one node, over a connection that it keeps between two questions. Ask
// is for one goroutine at a time; Close may be called at any time.
type Asker struct {
	o    *sentinel.Options
	addr string

	mu     sync.Mutex // guards client and closed; no I/O under it
	client *redis.Client
	closed bool
}

// NewAsker returns an Asker for the node at addr. o was made by Options.ForNodes. It
// opens no connection.
func NewAsker(o *sentinel.Options, addr string) *Asker { return &Asker{o: o, addr: addr} }

// Close ends the connection, and a question that is under way.
func (a *Asker) Close() {
	a.mu.Lock()
	c := a.client
	a.client, a.closed = nil, true
	a.mu.Unlock()
	if c != nil {
		_ = c.Close() // it was only read from
	}
}

// open returns the kept client, or a new one; nil after Close.
func (a *Asker) open(ctx context.Context) *redis.Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client == nil && !a.closed {
		a.client = sentinel.NodeClient(ctx, a.o, a.addr)
	}
	return a.client
}

// drop gives up the client after an error.
func (a *Asker) drop(c *redis.Client) {
	a.mu.Lock()
	if a.client == c {
		a.client = nil
	}
	a.mu.Unlock()
	_ = c.Close() // it was only read from
}

// Ask asks once, within two timeouts. A connection that was kept and has ended
// meanwhile says nothing about the node: then a new one is tried.
func (a *Asker) Ask(ctx context.Context) Said {
	a.mu.Lock()
	kept := a.client != nil
	a.mu.Unlock()
	said, err := a.try(ctx)
	if kept && err != nil && !isTimeout(err) && ctx.Err() == nil {
		said, _ = a.try(ctx)
	}
	return said
}

func (a *Asker) try(ctx context.Context) (Said, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*a.o.Timeout)
	defer cancel()
	c := a.open(context.WithoutCancel(ctx)) // it lives longer than this question
	if c == nil {
		return silent(net.ErrClosed), net.ErrClosed
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	// One after the other: go-redis does not tell a pipeline of an AUTH that failed.
	role := c.Do(ctx, "ROLE")
	if err := role.Err(); unwelcome(err) {
		stop()
		a.drop(c) // it has been closed
		return Said{Role: CannotSay, Detail: plain(err), Offset: -1}, nil
	}
	info := c.Do(ctx, "INFO", "replication")
	if !stop() {
		a.drop(c)
		return silent(context.DeadlineExceeded), context.DeadlineExceeded
	}
	if err := broken(role.Err(), info.Err()); err != nil {
		a.drop(c)
		return silent(err), err
	}
	return read(role, info), nil
}

// unwelcome says whether an error is the node's word that our user or password is wrong.
func unwelcome(err error) bool {
	return starts(err, "WRONGPASS", "ERR AUTH", "ERR invalid password", "failed to authenticate: ")
}

// broken gives the error that is none of the node's own words.
func broken(errs ...error) error {
	for _, err := range errs {
		var word redis.Error
		if err != nil && !errors.As(err, &word) {
			return err
		}
	}
	return nil
}

// read makes a Said of what both questions were answered.
func read(role, info *redis.Cmd) Said {
	said := Said{Offset: -1}
	if text, err := info.Text(); err == nil {
		said.readInfo(text)
	}
	byInfo := said.Role
	reply, err := role.Slice()
	switch {
	case err == nil && len(reply) > 0:
		word, _ := reply[0].(string)
		switch word {
		case "master":
			said.Role = Master
		case "slave", "replica":
			said.Role = Replica
		default:
			said.Role, said.Detail = Silent, fmt.Sprintf("it is no Redis node: its ROLE is %.32q", word)
		}
	case !refused(err):
		said.Role, said.Detail = Silent, plain(err)
	case byInfo != Unasked:
		said.Role, said.Detail = byInfo, "by INFO replication, since ROLE is refused"
	default:
		said.Role, said.Detail = CannotSay, "it refuses ROLE and INFO replication: "+plain(err)
	}
	return said
}

func silent(err error) Said { return Said{Role: Silent, Detail: plain(err), Offset: -1} }

// refused says whether an error is the node's word that we may not ask.
func refused(err error) bool { return starts(err, "NOAUTH", "NOPERM", "ERR unknown command") }

func starts(err error, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if err != nil && strings.HasPrefix(err.Error(), prefix) {
			return true
		}
	}
	return false
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// plain shortens an error for people.
func plain(err error) string {
	if err == nil {
		return "an empty reply"
	}
	if isTimeout(err) {
		return "no answer in time"
	}
	return fmt.Sprintf("%.200s", err.Error())
}
