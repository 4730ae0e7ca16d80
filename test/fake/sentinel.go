package fake

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Sentinel is a fake Sentinel that monitors one master. It answers PING, HELLO,
// AUTH, CLIENT, ROLE, SUBSCRIBE, PSUBSCRIBE (patterns ending in *), UNSUBSCRIBE
// and SENTINEL MASTER | GET-MASTER-ADDR-BY-NAME | SENTINELS | MYID | FAILOVER. Freeze,
// Delay, HoldReplies, Disconnect and Calls are those of the server.
type Sentinel struct {
	server
	name string

	mu        sync.Mutex // guards the fields below; nothing blocks under it
	master    Master
	runid     string
	peers     []Peer
	user      string
	password  string
	forbidden map[string]bool
	listeners map[*session]bool
	turns     []func(*Master)
	refusal   string // of SENTINEL FAILOVER
}

// Master is what a Sentinel says about the master.
type Master struct {
	// Unknown: it does not monitor that name.
	Unknown bool
	// Addr is the answer to get-master-addr-by-name, host:port (IPv6 in brackets).
	Addr string
	// Subject is the ip and port in SENTINEL MASTER; empty means Addr. On the
	// leader it stays the old one from +promoted-slave to +switch-master.
	Subject string
	Epoch   uint64
	// Flags as in SENTINEL MASTER: "master", "master,s_down,o_down".
	Flags string
	// State is failover-state; empty leaves the field out.
	State string
}

// Peer is another Sentinel as SENTINEL SENTINELS lists it.
type Peer struct{ Addr, RunID string }

// StartSentinel serves ln until Close. It monitors name at addr with epoch 0.
func StartSentinel(ln net.Listener, name, addr string) *Sentinel {
	s := &Sentinel{name: name, master: Master{Addr: addr, Flags: "master"},
		forbidden: map[string]bool{}, listeners: map[*session]bool{}}
	s.runid = RunID(ln.Addr().String())
	s.start(ln, s.take, s.drop)
	return s
}

// RunID makes 40 hex digits from a text, always the same ones.
func RunID(text string) string {
	var h uint64 = 14695981039346656037
	for _, c := range []byte(text) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	digits := strconv.FormatUint(h, 16)
	return strings.Repeat("0", 40-len(digits)) + digits
}

// Update changes what it says; f runs under the lock and must not block.
func (s *Sentinel) Update(f func(m *Master)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.master)
}

// RefuseFailover makes it answer SENTINEL FAILOVER with an error; "" lets it answer OK again.
func (s *Sentinel) RefuseFailover(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = text
}

// Master gives what it says now.
func (s *Sentinel) Master() Master {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.master
}

// AfterMaster changes what it says right after its next answer to SENTINEL
// MASTER, that is between the two questions of a pair.
func (s *Sentinel) AfterMaster(f func(m *Master)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns = append(s.turns, f)
}

// SetRunID makes it say another id; empty makes MYID an unknown subcommand, as
// before 6.2. Peers sets the list of other Sentinels.
func (s *Sentinel) SetRunID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runid = id
}

// ID gives the run id.
func (s *Sentinel) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runid
}

// Peers sets the other Sentinels that it lists.
func (s *Sentinel) Peers(peers ...Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers = slices.Clone(peers)
}

// Require makes AUTH necessary; user "" or "default" is that of a bare password.
func (s *Sentinel) Require(user, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if user == "" {
		user = "default"
	}
	s.user, s.password = user, password
}

// Forbid answers NOPERM to these commands: "SUBSCRIBE", "SENTINEL SENTINELS".
func (s *Sentinel) Forbid(commands ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range commands {
		s.forbidden[strings.ToUpper(c)] = true
	}
}

// Publish sends an event to everybody who subscribed to the channel.
func (s *Sentinel) Publish(channel, payload string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.listeners {
		c.mu.Lock()
		exact := c.topics[channel]
		var patterns []string
		for t := range c.topics {
			if strings.HasSuffix(t, "*") && strings.HasPrefix(channel, strings.TrimSuffix(t, "*")) {
				patterns = append(patterns, t)
			}
		}
		c.mu.Unlock()
		if exact {
			c.send(bulks("message", channel, payload))
		}
		for _, p := range patterns {
			c.send(bulks("pmessage", p, channel, payload))
		}
	}
}

// Say sends raw RESP to every subscriber: for malformed messages.
func (s *Sentinel) Say(raw string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.listeners {
		c.send(reply(raw))
	}
}

// Subscribers says how many connections have subscribed.
func (s *Sentinel) Subscribers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listeners)
}

func (s *Sentinel) drop(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, c)
}

// take handles one command of one connection.
func (s *Sentinel) take(c *session, call Call) {
	s.mu.Lock()
	out := s.answerLocked(c, call)
	s.mu.Unlock()
	if out != "" {
		c.send(out)
	}
	if call.Args[0] == "QUIT" {
		c.quit()
		<-c.done
	}
}

func (s *Sentinel) answerLocked(c *session, call Call) reply {
	a := call.Args
	switch a[0] {
	case "AUTH":
		user := "default"
		if len(a) == 3 {
			user = a[1]
		}
		return s.authLocked(c, user, a[len(a)-1])
	case "HELLO":
		return s.helloLocked(c, a)
	case "QUIT":
		return replyOK
	}
	if s.password != "" && !c.trusted {
		return failure("NOAUTH Authentication required.")
	}
	if s.forbidden[a[0]] || s.forbidden[call.Name()] {
		return failure("NOPERM this user has no permissions to run the '" + strings.ToLower(call.Name()) + "' command")
	}
	switch a[0] {
	case "PING":
		if s.listeners[c] {
			return bulks("pong", "")
		}
		return status("PONG")
	case "CLIENT":
		return replyOK
	case "ROLE":
		return array(bulk("sentinel"), bulks(s.name))
	case "SUBSCRIBE", "PSUBSCRIBE", "UNSUBSCRIBE":
		s.subscribeLocked(c, a)
		return ""
	case "SENTINEL":
		return s.sentinelLocked(call)
	}
	return failure("ERR unknown command '" + a[0] + "'")
}

func (s *Sentinel) authLocked(c *session, user, password string) reply {
	if s.password == "" || user != s.user || password != s.password {
		return failure("WRONGPASS invalid username-password pair or user is disabled.")
	}
	c.trusted = true
	return replyOK
}

func (s *Sentinel) helloLocked(c *session, a []string) reply {
	for i := 2; i+2 < len(a); i++ {
		if strings.EqualFold(a[i], "AUTH") {
			if out := s.authLocked(c, a[i+1], a[i+2]); out != replyOK {
				return out
			}
		}
	}
	if s.password != "" && !c.trusted {
		return failure("NOAUTH HELLO must be called with the client already authenticated")
	}
	return array(bulk("server"), bulk("redis"), bulk("proto"), integer(2), bulk("mode"), bulk("sentinel"))
}

func (s *Sentinel) subscribeLocked(c *session, a []string) {
	for _, topic := range a[1:] {
		c.mu.Lock()
		if a[0] == "UNSUBSCRIBE" {
			delete(c.topics, topic)
		} else {
			c.topics[topic] = true
		}
		n := len(c.topics)
		c.mu.Unlock()
		if n > 0 {
			s.listeners[c] = true
		} else {
			delete(s.listeners, c)
		}
		c.send(array(bulk(strings.ToLower(a[0])), bulk(topic), integer(n)))
	}
}

func (s *Sentinel) sentinelLocked(call Call) reply {
	a, m := call.Args, s.master
	sub := ""
	if len(a) > 1 {
		sub = strings.ToUpper(a[1])
	}
	if sub == "MYID" && s.runid != "" {
		return bulk(s.runid)
	}
	if len(a) < 3 {
		return failure("ERR Unknown sentinel subcommand '" + sub + "'")
	}
	unknown := a[2] != s.name || m.Unknown
	switch {
	case sub == "GET-MASTER-ADDR-BY-NAME" && unknown:
		return replyNoArr
	case unknown:
		return failure("ERR No such master with that name")
	case sub == "GET-MASTER-ADDR-BY-NAME":
		host, port, _ := net.SplitHostPort(m.Addr)
		return bulks(host, port)
	case sub == "MASTER":
		for _, f := range s.turns {
			f(&s.master)
		}
		s.turns = nil
		return s.describe(m)
	case sub == "SENTINELS":
		rows := make([]reply, len(s.peers))
		for i, p := range s.peers {
			host, port, _ := net.SplitHostPort(p.Addr)
			rows[i] = bulks("name", p.RunID, "ip", host, "port", port, "runid", p.RunID, "flags", "sentinel")
		}
		return array(rows...)
	case sub == "FAILOVER" && s.refusal != "":
		return failure(s.refusal)
	case sub == "FAILOVER":
		return replyOK
	}
	return failure("ERR Unknown sentinel subcommand '" + sub + "'")
}

// describe is the reply to SENTINEL MASTER.
func (s *Sentinel) describe(m Master) reply {
	subject := m.Subject
	if subject == "" {
		subject = m.Addr
	}
	host, port, _ := net.SplitHostPort(subject)
	fields := []string{"name", s.name, "ip", host, "port", port, "runid", RunID(subject), "flags", m.Flags,
		"link-pending-commands", "0", "role-reported", "master", "config-epoch", strconv.FormatUint(m.Epoch, 10),
		"num-slaves", "2", "num-other-sentinels", strconv.Itoa(len(s.peers)), "quorum", "2",
		"failover-timeout", "180000", "parallel-syncs", "1"}
	if m.State != "" {
		fields = append(fields, "failover-state", m.State)
	}
	return bulks(fields...)
}
