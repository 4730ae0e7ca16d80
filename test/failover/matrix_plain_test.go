package failover

import (
	"fmt"
	"strings"
	"time"

	"steadis/test/workload"
)

// plainRows are about commands without a state, connections made during the outage,
// and commands that steadis answers or refuses itself.
var plainRows = []matrixRow{
	{
		name:   "writes and reads in order",
		before: func(s *stage) { s.c.want(":1", "INCR", s.key) },
		held: func(s *stage) {
			for range 50 {
				s.c.sendAll([]string{"INCR", s.key}, []string{"GET", s.key}, []string{"INCR", s.key})
			}
		},
		after: func(s *stage) {
			for n := 2; n < 102; n += 2 {
				s.c.expect(fmt.Sprintf(":%d", n), fmt.Sprint(n), fmt.Sprintf(":%d", n+1))
			}
			s.wantDirect("101", "GET", s.key)
		},
	},
	{
		name:   "read without an answer",
		before: func(s *stage) { s.c.want("+OK", "SET", s.key, "v") },
		struck: func(s *stage) { s.c.sendAll([]string{"GET", s.key}, []string{"STRLEN", s.key}) },
		after:  func(s *stage) { s.c.expect("v", ":1") },
	},
	{
		name:   "half a pipeline",
		before: func(s *stage) { s.c.want("+OK", "SET", s.key, "0") },
		held:   func(s *stage) { s.c.sendRaw(halfPipeline(s.key)) },
		after: func(s *stage) {
			s.c.sendRaw("Y\r\n$" + restOfPipeline(s.key))
			s.c.expect(":1", "1", ":2", ":3")
			s.wantDirect("3", "GET", s.key)
		},
	},
	{
		name: "half a command",
		before: func(s *stage) {
			s.c.sendRaw("*3\r\n$3\r\nSET\r\n$" + fmt.Sprint(len(s.key)) + "\r\n" + s.key[:4])
		},
		after: func(s *stage) {
			s.c.sendRaw(s.key[4:] + "\r\n$1\r\nv\r\n")
			s.c.expect("+OK")
			s.c.want("v", "GET", s.key)
		},
	},
	{
		name:   "inline command",
		proto:  2,
		before: func(s *stage) { s.c.sendRaw("SET " + s.key) },
		held:   func(s *stage) { s.c.sendRaw(" v\r\nGET " + s.key + "\r\n") },
		after:  func(s *stage) { s.c.expect("+OK", "v") },
	},
	{
		name: "questions about the server",
		held: func(s *stage) {
			s.c.sendAll([]string{"ROLE"}, []string{"INFO", "replication"}, []string{"RANDOMKEY"}, []string{"DBSIZE"}, []string{"TIME"}, []string{"LASTSAVE"})
		},
		after: func(s *stage) {
			s.c.expect("*3 master...", s.in("# Replication\r\nrole:master...", "txt:# Replication\r\nrole:master..."), "...", ":...", "*2 17...", ":17...")
			_, port, _ := strings.Cut(s.scene.master.Load().Addr(), ":")
			s.c.want(s.in("*2 port ", "%1 port ")+port, "CONFIG", "GET", "port")
			s.c.want("+OK", "SET", s.key, "v")
			s.c.want(":...", "OBJECT", "IDLETIME", s.key)
			s.c.want(":...", "MEMORY", "USAGE", s.key)
			s.c.want("*0", "LATENCY", "LATEST")
			s.c.want(":...", "SLOWLOG", "LEN")
		},
	},
	{
		name: "cluster commands",
		held: func(s *stage) {
			s.c.sendAll([]string{"READONLY"}, []string{"READWRITE"}, []string{"ASKING"}, []string{"CLUSTER", "INFO"})
		},
		after: func(s *stage) {
			const disabled = "-ERR This instance has cluster support disabled"
			s.c.expect(disabled, disabled, disabled, disabled)
		},
	},
	{
		name:   "refused commands",
		before: refusedAsEver,
		held:   refusedAsEver,
		after:  refusedAsEver,
	},
	{
		name: "PING",
		before: func(s *stage) {
			s.c.want("+PONG", "PING")
			pinger := workload.StartPinger(s.scene.ctx, s.scene.steadis.Addr, 10*time.Millisecond)
			s.atEnd = append(s.atEnd, func() { pinger.Stop() })
			s.pinger = pinger
		},
		held: func(s *stage) {
			for range 20 {
				answeredAtOnce(s, s.c, "+PONG", "PING")
			}
			answeredAtOnce(s, s.c, "hello", "PING", "hello")
		},
		after: func(s *stage) {
			s.c.want("$-1", "GET", s.key)
			s.c.want("+PONG", "PING")
			for _, p := range s.pinger.Stop() {
				s.quick("a new connection's PING", p.Took)
				if p.Reply != "PONG" {
					s.failf("a new connection's PING was answered %q after %v", p.Reply, p.Took)
				}
			}
		},
		proto: 2,
	},
	{
		name:   "PING behind what is held",
		before: func(s *stage) { s.c.want("+PONG", "PING") },
		held:   func(s *stage) { s.c.sendAll([]string{"SET", s.key, "v"}, []string{"PING"}, []string{"GET", s.key}) },
		after:  func(s *stage) { s.c.expect("+OK", "+PONG", "v") },
	},
	{
		name: "QUIT",
		held: func(s *stage) {
			s.c.want("+OK", "QUIT")
			s.c.wantClosed()
		},
		after: func(s *stage) {
			s.other().want("+OK", "QUIT")
			s.other().wantClosed()
		},
	},
	{
		name:  "QUIT behind a held write",
		held:  func(s *stage) { s.c.sendAll([]string{"SET", s.key, "v"}, []string{"QUIT"}) },
		after: func(s *stage) { s.c.expect("+OK", "+OK"); s.c.wantClosed(); s.wantDirect("v", "GET", s.key) },
	},
	{
		name:  "held write of a client that hung up",
		held:  func(s *stage) { s.c.send("SET", s.key, "v"); s.c.conn.Close() },
		after: func(s *stage) { s.never("it ran", func() bool { return s.direct("GET", s.key) != "<nil>" }) },
	},
	{
		name:  "new connection like redis-py",
		proto: 2,
		held: func(s *stage) {
			s.other().sendAll([]string{"CLIENT", "SETINFO", "LIB-NAME", "redis-py"}, []string{"CLIENT", "SETINFO", "LIB-VER", "5.0"})
			repliesAtOnce(s, s.other(), "+OK", "+OK")
			answeredAtOnce(s, s.other(), "+OK", "CLIENT", "SETNAME", "me")
			answeredAtOnce(s, s.other(), "+OK", "SELECT", "3")
			answeredAtOnce(s, s.other(), "me", "CLIENT", "GETNAME")
			s.other().send("SET", s.key, "v")
		},
		before: func(s *stage) { s.c.want("+OK", "SELECT", "3") }, // known from then on
		after:  func(s *stage) { s.other().expect("+OK"); s.c.want("v", "GET", s.key) },
	},
	{
		name:   "new connection like go-redis",
		proto:  3,
		before: func(s *stage) { s.c.want("+OK", "SELECT", "3") },
		held: func(s *stage) {
			s.other().send("HELLO", "3", "SETNAME", "me")
			s.began = time.Now()
			s.other().sendAll([]string{"CLIENT", "SETINFO", "LIB-NAME", "go-redis"}, []string{"SELECT", "3"}, []string{"SET", s.key, "v"})
		},
		after: func(s *stage) {
			s.other().expect("%7 server redis...", "+OK", "+OK", "+OK")
			s.c.want("v", "GET", s.key)
		},
	},
	{
		name:  "new connection like rueidis",
		proto: 3,
		held: func(s *stage) {
			s.other().sendAll([]string{"HELLO", "3"}, []string{"CLIENT", "TRACKING", "ON", "OPTIN"}, []string{"CLIENT", "SETINFO", "LIB-NAME", "rueidis"},
				[]string{"CLIENT", "CACHING", "YES"}, []string{"GET", s.key})
		},
		after: func(s *stage) {
			s.other().expect("%7 server redis...", "+OK", "+OK", "+OK", "_")
			s.c.want("+OK", "SET", s.key, "v")
			s.other().wantPush(">2 invalidate *1 " + s.key)
		},
	},
	{
		name:   "HELLO of a new connection is answered during the outage",
		proto:  3,
		before: func(s *stage) { s.other().want("%7 server redis...", "HELLO", "3") },
		held: func(s *stage) {
			c := s.dial()
			answeredAtOnce(s, c, "%7 server redis...", "HELLO", "3", "SETNAME", "me")
			answeredAtOnce(s, c, "me", "CLIENT", "GETNAME")
		},
	},
	{
		name:   "AUTH of a new connection is answered during the outage",
		before: func(s *stage) { s.c.want("+OK", "AUTH", "bob", "bobpw") },
		held:   func(s *stage) { answeredAtOnce(s, s.dial(), "+OK", "AUTH", "bob", "bobpw") },
		after: func(s *stage) {
			c := s.clients[1]
			c.want("bob", "ACL", "WHOAMI")
			c.want("+OK", "SET", "bob:"+s.key, "v")
			c.want("-NOPERM...", "SET", s.key, "v")
		},
	},
}

// halfPipeline ends in the middle of the first word of its third command;
// restOfPipeline goes on behind "Y".
func halfPipeline(key string) string {
	return encode("INCR", key) + encode("GET", key) + "*3\r\n$6\r\nINCRB"
}

func restOfPipeline(key string) string {
	return fmt.Sprintf("%d\r\n%s\r\n$1\r\n1\r\n", len(key), key) + encode("INCR", key)
}

// refusedAsEver asks for what steadis refuses on purpose.
func refusedAsEver(s *stage) {
	for _, args := range [][]string{
		{"REPLICAOF", "NO", "ONE"}, {"SLAVEOF", "NO", "ONE"}, {"FAILOVER"}, {"SHUTDOWN", "NOSAVE"}, {"DEBUG", "SLEEP", "0"},
		{"SYNC"}, {"PSYNC", "?", "-1"}, {"REPLCONF", "ack", "1"}, {"MODULE", "LOAD", "/x"}, {"CLIENT", "PAUSE", "1"},
		{"CLUSTER", "RESET"}, {"CLUSTER", "FAILOVER"},
	} {
		s.c.want("-ERR steadis: '...", args...)
	}
}

// atOnce is how long an answer of steadis' own may take, on an idle machine.
const atOnce = 100 * time.Millisecond

// answeredAtOnce sends a command that steadis answers itself, outage or not.
func answeredAtOnce(s *stage, c *rawClient, reply string, args ...string) {
	c.send(args...)
	repliesAtOnce(s, c, reply)
}

func repliesAtOnce(s *stage, c *rawClient, replies ...string) {
	began := time.Now()
	for _, want := range replies {
		f := c.arrived()
		if !matches(want, f.text) {
			s.failf("got %.200q, want %q", f.text, want)
		}
		s.quick(fmt.Sprintf("%q", want), f.at.Sub(began))
	}
}
