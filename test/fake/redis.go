package fake

import (
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
)

// Redis is a fake Redis node: PING, ECHO, AUTH, HELLO, SELECT, QUIT, RESET,
// CLIENT, ROLE, INFO, WAIT, strings (GET SET APPEND STRLEN INCR INCRBY DEL
// EXISTS), lists (RPUSH LPUSH LRANGE LLEN LPOP BLPOP), MULTI EXEC DISCARD WATCH
// UNWATCH. A fresh one is an empty master.
//
// A replica answers READONLY to writes by itself. Faults that a test scripts:
// Refuse, Loading, On, and Freeze, HoldReplies, Delay, Disconnect, Close of the
// server.
type Redis struct {
	server

	data    sync.Mutex // guards the fields below; nothing blocks under it
	role    string     // "master" or "slave"
	of      string     // host:port of the master of a slave
	values  map[string]string
	lists   map[string][]string
	changed chan struct{} // closed and replaced when a list grows or the role changes
	version map[string]int
	slaves  []*Redis
	refuse  string
	loading bool
	noHello bool
	users   map[string]string
	deny    map[string]bool
	hook    func(Call) string
}

// client is the state of one connection to a Redis.
type client struct {
	db    int
	proto int
	multi bool
	dirty bool
	queue []Call
	watch map[string]int
}

// StartRedis serves ln until Close.
func StartRedis(ln net.Listener) *Redis {
	r := &Redis{role: "master", values: map[string]string{}, lists: map[string][]string{},
		changed: make(chan struct{}), version: map[string]int{}, deny: map[string]bool{}}
	r.start(ln, r.take, nil)
	return r
}

// BecomeMaster makes it a master, as SLAVEOF NO ONE does.
func (r *Redis) BecomeMaster() {
	r.data.Lock()
	defer r.data.Unlock()
	r.role, r.of = "master", ""
	r.touchLocked()
}

// BecomeReplica makes it a replica of master (host:port), with whatever data it
// has. Blocked clients get UNBLOCKED and are closed, as Redis does; the other
// connections stay, so call Disconnect for what Sentinel does.
func (r *Redis) BecomeReplica(master string) {
	r.data.Lock()
	defer r.data.Unlock()
	r.role, r.of, r.slaves = "slave", master, nil
	r.touchLocked()
}

// Replicas are written through to at every write from now on, at once and
// without fail, and get a copy of the data first. With none, replication ends.
func (r *Redis) Replicas(slaves ...*Redis) {
	r.data.Lock()
	defer r.data.Unlock()
	r.slaves = slices.Clone(slaves)
	for _, s := range slaves {
		s.data.Lock() // after that of the master, as where writes go on to replicas
		s.role, s.of, s.slaves = "slave", r.Addr(), nil
		s.values, s.lists = maps.Clone(r.values), map[string][]string{}
		for k, v := range r.lists {
			s.lists[k] = slices.Clone(v)
		}
		s.data.Unlock()
	}
}

// Refuse answers this error ("OOM no memory") to every command but those of the
// handshake and ROLE, without executing it; empty ends that.
func (r *Redis) Refuse(err string) { r.set(func() { r.refuse = err }) }

// Loading answers LOADING as a node does that reads its data set.
func (r *Redis) Loading(on bool) { r.set(func() { r.loading = on }) }

// NoHello makes it as old as Redis 5: HELLO is an unknown command.
func (r *Redis) NoHello() { r.set(func() { r.noHello = true }) }

// Require makes AUTH necessary; user "default" is that of a bare password.
func (r *Redis) Require(user, password string) {
	r.set(func() {
		if r.users == nil {
			r.users = map[string]string{}
		}
		r.users[user] = password
	})
}

// Deny answers NOPERM to a command.
func (r *Redis) Deny(command string) { r.set(func() { r.deny[strings.ToUpper(command)] = true }) }

// On calls f for every command before it is executed (with no lock held, on the
// connection's goroutine, so it may block). A non-empty result is sent in place
// of executing: raw RESP such as "-ERR no\r\n", or CloseNow.
func (r *Redis) On(f func(Call) string) { r.set(func() { r.hook = f }) }

// CloseNow, returned by a hook, hangs up without an answer.
const CloseNow = "close now"

// ExecuteThenClose, returned by a hook, executes the command and hangs up without
// an answer: the client cannot know whether it was executed.
const ExecuteThenClose = "execute, then close"

func (r *Redis) set(f func()) {
	r.data.Lock()
	defer r.data.Unlock()
	f()
}

// Value gives a string of database 0, for audits.
func (r *Redis) Value(key string) string {
	r.data.Lock()
	defer r.data.Unlock()
	return r.values[name(0, key)]
}

// List gives a list of database 0, for audits.
func (r *Redis) List(key string) []string {
	r.data.Lock()
	defer r.data.Unlock()
	return slices.Clone(r.lists[name(0, key)])
}

// Traffic gives the commands taken that are neither of a handshake nor questions
// of a health or role check: what "no byte of traffic went there" is about.
func (r *Redis) Traffic() []Call {
	return slices.DeleteFunc(r.Calls(), func(c Call) bool {
		switch c.Args[0] {
		case "HELLO", "AUTH", "CLIENT", "ROLE", "PING", "SELECT", "QUIT", "INFO", "COMMAND", "RESET":
			return true
		}
		return false
	})
}

// touchLocked wakes blocked clients. The caller holds data.
func (r *Redis) touchLocked() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// take handles one command of one connection.
func (r *Redis) take(c *session, call Call) {
	if c.state == nil {
		c.state = &client{proto: 2}
	}
	r.data.Lock()
	hook := r.hook
	r.data.Unlock()
	if hook != nil {
		switch out := hook(call); out {
		case "":
		case CloseNow:
			c.finish()
			c.conn.Close()
			return
		case ExecuteThenClose:
			r.answer(c, call)
			c.finish()
			c.conn.Close()
			return
		default:
			c.send(reply(out))
			return
		}
	}
	if out := r.answer(c, call); out != "" {
		c.send(out)
	}
	if call.Args[0] == "QUIT" {
		c.quit()
		<-c.done
	}
}

// answer executes one command, or refuses it in the order in which Redis checks.
func (r *Redis) answer(c *session, call Call) reply {
	if out, done := r.handshake(c, call); done {
		return out
	}
	out, done := r.judge(c, call)
	if !done {
		return r.blpop(c, call)
	}
	return out
}

// judge refuses, queues or executes a command, as one step: a node that becomes a replica does so
// before or after it. It is not done with a command that may block.
func (r *Redis) judge(c *session, call Call) (out reply, done bool) {
	r.data.Lock()
	defer r.data.Unlock()
	if out := r.refusalLocked(c, call); out != "" {
		if c.state.multi && call.Args[0] != "EXEC" {
			c.state.dirty = true
		}
		return out, true
	}
	if c.state.multi {
		switch call.Args[0] {
		case "EXEC", "DISCARD", "MULTI", "WATCH", "QUIT":
		default:
			c.state.queue = append(c.state.queue, call)
			return status("QUEUED"), true
		}
	}
	if call.Args[0] == "BLPOP" {
		return "", false
	}
	return r.executeLocked(c, call), true
}

// refusalLocked gives the error for a command that may not be executed now.
func (r *Redis) refusalLocked(c *session, call Call) reply {
	cmd := call.Args[0]
	spec, known := commands[cmd]
	switch {
	case !known:
		return failure("ERR unknown command '" + cmd + "', with args beginning with: ")
	case len(call.Args) < spec.arity:
		return failure("ERR wrong number of arguments for '" + strings.ToLower(cmd) + "' command")
	case r.users != nil && !c.trusted:
		return failure("NOAUTH Authentication required.")
	case r.deny[cmd]:
		return failure("NOPERM this user has no permissions to run the '" + strings.ToLower(cmd) + "' command")
	case cmd == "ROLE" || cmd == "INFO":
		return ""
	case r.refuse != "":
		return r.rejectedLocked(c, cmd, r.refuse)
	case r.role != "master" && (spec.write || cmd == "EXEC" && c.state.writes()):
		return r.rejectedLocked(c, cmd, "READONLY You can't write against a read only replica.")
	case r.loading && cmd != "PING":
		return r.rejectedLocked(c, cmd, "LOADING Redis is loading the dataset in memory")
	case r.loading:
		return failure("LOADING Redis is loading the dataset in memory")
	}
	return ""
}

// rejectedLocked words a refusal; that of an EXEC ends the transaction.
func (r *Redis) rejectedLocked(c *session, cmd, err string) reply {
	if cmd != "EXEC" || !c.state.multi {
		return failure(err)
	}
	c.state.reset()
	return failure("EXECABORT Transaction discarded because of: " + err)
}

func (c *client) writes() bool {
	return slices.ContainsFunc(c.queue, func(q Call) bool { return commands[q.Args[0]].write })
}

func (c *client) reset() {
	c.multi, c.dirty, c.queue, c.watch = false, false, nil, nil
}
