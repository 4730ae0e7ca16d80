package fake

import (
	"net"
	"strconv"
	"strings"
	"time"
)

// command says how many words it needs at least, and whether it writes.
type command struct {
	arity int
	write bool
}

var commands = map[string]command{
	"PING": {1, false}, "ECHO": {2, false}, "SELECT": {2, false}, "CLIENT": {2, false},
	"COMMAND": {1, false}, "ROLE": {1, false}, "INFO": {1, false}, "WAIT": {3, false}, "QUIT": {1, false},
	"GET": {2, false}, "SET": {3, true}, "APPEND": {3, true}, "STRLEN": {2, false}, "INCR": {2, true},
	"INCRBY": {3, true}, "DEL": {2, true}, "EXISTS": {2, false}, "RPUSH": {3, true}, "LPUSH": {3, true},
	"LRANGE": {4, false}, "LLEN": {2, false}, "LPOP": {2, true}, "BLPOP": {3, true},
	"MULTI": {1, false}, "EXEC": {1, false}, "DISCARD": {1, false}, "WATCH": {2, false}, "UNWATCH": {1, false},
}

// name is a key with its database.
func name(db int, key string) string { return strconv.Itoa(db) + ":" + key }

// handshake answers what is allowed without AUTH. done is false for the rest.
func (r *Redis) handshake(c *session, call Call) (out reply, done bool) {
	r.data.Lock()
	defer r.data.Unlock()
	args := call.Args
	switch args[0] {
	case "AUTH":
		user, password := "default", args[len(args)-1]
		if len(args) == 3 {
			user = args[1]
		}
		return r.authLocked(c, user, password), true
	case "HELLO":
		if r.noHello {
			return failure("ERR unknown command 'HELLO'"), true
		}
		return r.helloLocked(c, args), true
	case "RESET":
		c.state = &client{proto: 2}
		c.trusted = false
		return status("RESET"), true
	case "QUIT":
		return replyOK, true
	}
	return "", false
}

func (r *Redis) authLocked(c *session, user, password string) reply {
	if r.users == nil && user == "default" {
		return failure("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
	}
	if want, ok := r.users[user]; !ok || want != password {
		return failure("WRONGPASS invalid username-password pair or user is disabled.")
	}
	c.trusted = true
	return replyOK
}

func (r *Redis) helloLocked(c *session, args []string) reply {
	proto := c.state.proto
	if len(args) > 1 {
		if args[1] != "2" && args[1] != "3" {
			return failure("NOPROTO unsupported protocol version")
		}
		proto, _ = strconv.Atoi(args[1])
	}
	for i := 2; i+2 < len(args); i++ {
		if strings.EqualFold(args[i], "AUTH") {
			if out := r.authLocked(c, args[i+1], args[i+2]); out != replyOK {
				return out
			}
		}
	}
	if r.users != nil && !c.trusted {
		return failure("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
	}
	c.state.proto = proto
	role := "replica"
	if r.role == "master" {
		role = "master"
	}
	out := array(bulk("server"), bulk("redis"), bulk("version"), bulk("7.0.15"), bulk("proto"), integer(proto),
		bulk("id"), integer(c.id), bulk("mode"), bulk("standalone"), bulk("role"), bulk(role), bulk("modules"), array())
	if proto == 3 {
		return reply(strings.Replace(string(out), "*14\r\n", "%7\r\n", 1))
	}
	return out
}

// executeLocked runs a command that has passed every check. The caller holds data.
func (r *Redis) executeLocked(c *session, call Call) reply {
	a := call.Args
	switch a[0] {
	case "PING":
		if len(a) > 1 {
			return bulk(a[1])
		}
		return status("PONG")
	case "ECHO":
		return bulk(a[1])
	case "SELECT":
		db, err := strconv.Atoi(a[1])
		if err != nil || db < 0 || db > 15 {
			return failure("ERR DB index is out of range")
		}
		c.state.db = db
		return replyOK
	case "CLIENT":
		if strings.EqualFold(a[1], "ID") {
			return integer(c.id)
		}
		return replyOK
	case "COMMAND":
		return array()
	case "ROLE":
		return r.roleLocked()
	case "INFO":
		return bulk("# Replication\r\nrole:" + r.role + "\r\n")
	case "WAIT":
		return integer(len(r.slaves))
	case "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH":
		return r.transactionLocked(c, call)
	}
	out := r.dataLocked(c.state.db, c.state.proto, a)
	if commands[a[0]].write {
		for _, s := range r.slaves {
			s.data.Lock()
			if s.role == "slave" && s.of == r.Addr() { // else promoted or re-pointed since
				s.dataLocked(c.state.db, 2, a)
			}
			s.data.Unlock()
		}
	}
	return out
}

func (r *Redis) roleLocked() reply {
	if r.role == "master" {
		slaves := make([]reply, 0, len(r.slaves))
		for _, s := range r.slaves {
			host, port, _ := net.SplitHostPort(s.Addr())
			slaves = append(slaves, bulks(host, port, "0"))
		}
		return array(bulk("master"), integer(0), array(slaves...))
	}
	host, port, _ := net.SplitHostPort(r.of)
	p, _ := strconv.Atoi(port)
	return array(bulk("slave"), bulk(host), integer(p), bulk("connected"), integer(0))
}

// dataLocked runs a command on the data. The caller holds data.
func (r *Redis) dataLocked(db, proto int, a []string) reply {
	key := name(db, a[1])
	if commands[a[0]].write {
		r.version[key]++
	}
	switch a[0] {
	case "GET":
		v, ok := r.values[key]
		if !ok {
			return null(proto)
		}
		return bulk(v)
	case "SET":
		r.values[key] = a[2]
		return replyOK
	case "APPEND":
		r.values[key] += a[2]
		return integer(len(r.values[key]))
	case "STRLEN":
		return integer(len(r.values[key]))
	case "INCR", "INCRBY":
		by := 1
		if a[0] == "INCRBY" {
			by, _ = strconv.Atoi(a[2])
		}
		n, err := strconv.Atoi("0" + r.values[key])
		if err != nil {
			return failure("ERR value is not an integer or out of range")
		}
		r.values[key] = strconv.Itoa(n + by)
		return integer(n + by)
	case "DEL", "EXISTS":
		return r.countLocked(db, a)
	}
	return r.listLocked(key, proto, a)
}

func (r *Redis) countLocked(db int, a []string) reply {
	n := 0
	for _, k := range a[1:] {
		key := name(db, k)
		_, isValue := r.values[key]
		if isValue || len(r.lists[key]) > 0 {
			n++
		}
		if a[0] == "DEL" {
			delete(r.values, key)
			delete(r.lists, key)
		}
	}
	return integer(n)
}

func (r *Redis) listLocked(key string, proto int, a []string) reply {
	list := r.lists[key]
	switch a[0] {
	case "RPUSH":
		r.lists[key] = append(list, a[2:]...)
		r.touchLocked()
	case "LPUSH":
		for _, v := range a[2:] {
			r.lists[key] = append([]string{v}, r.lists[key]...)
		}
		r.touchLocked()
	case "LPOP", "BLPOP":
		if len(list) == 0 {
			return null(proto)
		}
		r.lists[key] = list[1:]
		return bulk(list[0])
	case "LRANGE":
		from, to := index(a[2], len(list)), index(a[3], len(list))
		if from = max(from, 0); to >= len(list) {
			to = len(list) - 1
		}
		if from > to {
			return array()
		}
		return bulks(list[from : to+1]...)
	}
	return integer(len(r.lists[key]))
}

// index reads a list index; a negative one counts from the end.
func index(s string, size int) int {
	n, _ := strconv.Atoi(s)
	if n < 0 {
		n += size
	}
	return n
}

func null(proto int) reply {
	if proto == 3 {
		return replyNil3
	}
	return replyNil
}

// transactionLocked runs MULTI and its kin. The caller holds data.
func (r *Redis) transactionLocked(c *session, call Call) reply {
	st := c.state
	switch call.Args[0] {
	case "MULTI":
		if st.multi {
			return failure("ERR MULTI calls can not be nested")
		}
		st.multi = true
	case "DISCARD":
		if !st.multi {
			return failure("ERR DISCARD without MULTI")
		}
		st.reset()
	case "WATCH":
		if st.multi {
			return failure("ERR WATCH inside MULTI is not allowed")
		}
		if st.watch == nil {
			st.watch = map[string]int{}
		}
		for _, k := range call.Args[1:] {
			st.watch[name(st.db, k)] = r.version[name(st.db, k)]
		}
	case "UNWATCH":
		st.watch = nil
	case "EXEC":
		return r.execLocked(c)
	}
	return replyOK
}

func (r *Redis) execLocked(c *session) reply {
	st := c.state
	if !st.multi {
		return failure("ERR EXEC without MULTI")
	}
	queue, dirty, watch := st.queue, st.dirty, st.watch
	st.reset()
	if dirty {
		return failure("EXECABORT Transaction discarded because of previous errors.")
	}
	for key, version := range watch {
		if r.version[key] != version {
			if st.proto == 3 {
				return replyNil3
			}
			return replyNoArr
		}
	}
	parts := make([]reply, len(queue))
	for i, q := range queue {
		parts[i] = r.executeLocked(c, q)
	}
	return array(parts...)
}

// blpop waits for an element of one key, like Redis: until one comes, the time
// is over, the node becomes a replica or the client has gone.
func (r *Redis) blpop(c *session, call Call) reply {
	seconds, _ := strconv.ParseFloat(call.Args[len(call.Args)-1], 64)
	var over <-chan time.Time
	if seconds > 0 {
		t := time.NewTimer(time.Duration(seconds * float64(time.Second)))
		defer t.Stop()
		over = t.C
	}
	pop := []string{"LPOP", call.Args[1]}
	for {
		r.data.Lock()
		if r.role != "master" {
			r.data.Unlock()
			c.send(failure("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"))
			c.quit()
			return ""
		}
		if len(r.lists[name(c.state.db, call.Args[1])]) > 0 {
			out := r.executeLocked(c, Call{Conn: call.Conn, Args: pop, At: call.At})
			r.data.Unlock()
			return array(bulk(call.Args[1]), out)
		}
		changed := r.changed
		r.data.Unlock()
		select {
		case <-changed:
		case <-over:
			if c.state.proto == 3 {
				return replyNil3
			}
			return replyNoArr
		case <-c.gone:
			c.finish()
			return ""
		case <-c.done:
			return ""
		}
	}
}
