package roster

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// crowd is at least one client in every state that a test can bring about and see.
func (s *server) crowd() (byName map[string]*link) {
	s.t.Helper()
	byName = map[string]*link{}
	enter := func(name, network, addr string, commands ...[]string) *link {
		l := s.dialTo(network, addr)
		l.ok("+OK\r\n", "CLIENT", "SETNAME", name)
		for _, args := range commands {
			l.do(args...)
		}
		byName[name] = l
		return l
	}
	tcp := func(name string, commands ...[]string) *link { return enter(name, "tcp", s.addr, commands...) }

	tcp("plain")
	tcp("db", []string{"SELECT", "3"}, []string{"CLIENT", "NO-EVICT", "on"})
	tcp("resp3", []string{"HELLO", "3"}, []string{"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "p:"})
	tcp("multi", []string{"MULTI"}, []string{"SET", "k", "v"}, []string{"SET", "k", "w"})
	tcp("dirty", []string{"WATCH", "watched"}, []string{"MULTI"})
	tcp("sub", []string{"SUBSCRIBE", "c1"}, []string{"SUBSCRIBE", "c2"}, []string{"PSUBSCRIBE", "p*"}, []string{"SSUBSCRIBE", "s"})
	tcp("worker", []string{"AUTH", "worker", "x"})
	tcp("worker-sub", []string{"AUTH", "worker", "x"}, []string{"PSUBSCRIBE", "p*"})
	tcp("monitor", []string{"MONITOR"})
	enter("unix", "unix", s.socket)
	enter("unix-worker", "unix", s.socket, []string{"AUTH", "worker", "x"})

	target := strconv.FormatUint(tcp("target").id(), 10)
	byName["target"].do("SUBSCRIBE", "__redis__:invalidate")
	goner := strconv.FormatUint(tcp("goner").id(), 10)
	tcp("redirect", []string{"CLIENT", "TRACKING", "ON", "REDIRECT", target}, []string{"GET", "k"})
	tcp("broken", []string{"CLIENT", "TRACKING", "ON", "REDIRECT", goner}, []string{"GET", "tracked"})

	blocked := tcp("blocked")
	id := blocked.id()
	blocked.send([]string{"BLPOP", "empty", "0"})
	s.await(id, "flags=b")
	replica := tcp("replica")
	id = replica.id()
	replica.send([]string{"SYNC"})
	s.await(id, "flags=S")

	byName["plain"].ok(":1\r\n", "CLIENT", "KILL", "ID", goner)
	delete(byName, "goner")
	byName["plain"].ok("+OK\r\n", "SET", "tracked", "x")
	byName["plain"].ok("+OK\r\n", "SET", "watched", "x")
	return byName
}

// TestLinesLikeRedis reads lines of a real server and writes them again.
func TestLinesLikeRedis(t *testing.T) {
	s := startRedis(t)
	s.crowd()
	l := s.dial()
	list := l.do("CLIENT", "LIST") + l.do("CLIENT", "INFO")
	l.ok("+OK\r\n", "CLIENT", "SETNAME", "!~")
	list += l.do("CLIENT", "INFO")
	seen := map[rune]bool{}
	for line := range strings.Lines(list) {
		c := parseLine(t, strings.TrimSuffix(line, "\n"))
		again := string(AppendLine(nil, &c))
		if again = strings.Replace(again, " lib-name= lib-ver=\n", "\n", 1); again != line {
			t.Errorf("%q,\nnot\n%q", again, line)
		}
		if c.Unix && c.Addr != UnixAddr(s.socket) {
			t.Errorf("%s is the address of %s, not %s", UnixAddr(s.socket), s.socket, c.Addr)
		}
		for _, letter := range string(appendFlags(nil, &c)) {
			seen[letter] = true
		}
	}
	for _, letter := range "NOSPxbtRBdUe" {
		if !seen[letter] {
			t.Errorf("no client had the flag %c", letter)
		}
	}
}

// TestListLikeRedis compares what CLIENT LIST shows, and its errors.
func TestListLikeRedis(t *testing.T) {
	s := startRedis(t)
	s.crowd()
	l := s.dial()
	all := parseLines(t, l.do("CLIENT", "LIST"))
	random := rand.New(rand.NewPCG(1, 2))
	commands := [][]string{
		{"CLIENT", "LIST"}, {"client", "list", "type"}, {"CLIENT", "LIST", "id"}, {"CLIENT", "LIST", ""},
		{"CLIENT", "LIST", "ID", "7", "x\ry"}, {"CLIENT", "LIST", "TYPE", ""}, {"CLIENT", "LIST", "TYPE", "a\r\nb\r\n"},
		{"CLIENT", "LIST", "TYPE", strings.Repeat("long", 100)}, {"CLIENT", "LIST", "TYPE\x00", "SLAVE\x00x"},
		{"CLIENT", "LIST", "TYPE", "\x00"}, {"CLIENT", "LIST", "TYPE", "'"}, {"CLIENT", "LIST", "TYPE", "a\x00b"},
	}
	for range 300 {
		args := []string{"CLIENT", "LIST", pick(random, "TYPE", "type", "ID", "Id", "ADDR", "NOT-ID", "")}
		for range random.IntN(4) {
			args = append(args, pick(random, append(kindWords, randomID(random, all))...))
		}
		commands = append(commands, args)
	}
	shown := 0
	for _, args := range commands {
		l.send([]string{"CLIENT", "LIST"}, args) // one that is just leaving is in both or in neither
		all = parseLines(t, l.reply())
		got := l.reply()
		f, errText := ParseList(words(args...))
		if errText != "" {
			if got != errText {
				t.Errorf("%q: Redis says %q, not %q", args, got, errText)
			}
			continue
		}
		if strings.HasPrefix(got, "-") {
			t.Errorf("%q: Redis says %q", args, got)
			continue
		}
		var want []uint64
		if f.IDs == nil {
			for _, c := range all {
				if f.Match(&c) {
					want = append(want, c.ID)
				}
			}
		}
		for _, id := range f.IDs {
			if slices.Contains(idsOf(all), id) {
				want = append(want, id)
			}
		}
		ids := idsOf(parseLines(t, got))
		if !slices.Equal(ids, want) {
			t.Errorf("%q: Redis shows %v, not %v", args, ids, want)
		}
		for _, c := range all { // Match is to agree with IDs
			if f.Match(&c) != slices.Contains(ids, c.ID) {
				t.Errorf("%q: Match says %v of %d, Redis shows %v", args, f.Match(&c), c.ID, ids)
			}
		}
		shown += len(ids)
	}
	if shown == 0 {
		t.Error("nothing was ever shown")
	}
}

// TestKillLikeRedis compares whom CLIENT KILL closes, its replies and its errors.
func TestKillLikeRedis(t *testing.T) {
	s := startRedis(t)
	random := rand.New(rand.NewPCG(3, 4))
	fixed := [][]string{
		{}, {"a:1"}, {"ID"}, {""}, {"SKIPME"}, {"id", "10", "wrong_arg"}, {"id", "str"}, {"id", "-1"}, {"id", "0"}, {"id", "+1"},
		{"ID", "9223372036854775807"}, {"ID", "9223372036854775808"}, {"ID", " 1"}, {"type", "wrong_type"}, {"type", "x\r\ny"},
		{"user", "wrong_user"}, {"user", "wrong\r\nuser\x00x"}, {"USER", ""}, {"user", "default\x00"}, {"user", "Default"},
		{"skipme", "yes_or_no"}, {"skipme", "yes\x00"}, {"SKIPME\x00", "no"}, {"s\u212aipme", "no"}, {"NOT-ID", "1"},
		{"user", "x", "type", "x"}, {"type", "x", "user", "x"}, {"user", "x", "wrong_arg"}, {"id", "0", "user", "x"},
		{"user", "x", "user", "y"}, {"addr", "", "skipme", "no"}, {"addr", UnixAddr(s.socket)}, {UnixAddr(s.socket)},
		{"laddr", UnixAddr(s.socket), "user", "worker"}, {"laddr", s.addr, "type", "normal"}, {"laddr", s.addr + "\x00x", "type", "pubsub"},
		{"type", "replica"}, {"type", "slave", "user", "default"}, {"skipme", "no"}, {"skipme", "yes"}, {"user", "worker", "user", "default"},
	}
	runs, closed, refused := len(fixed)+400, 0, 0
	var crowd map[string]*link
	for run := range runs {
		if len(crowd) < 8 {
			for _, member := range crowd {
				_ = member.nc.Close()
			}
			crowd = s.crowd()
		}
		l := s.dial()
		self := l.id()
		now := parseLines(t, l.do("CLIENT", "LIST"))
		args := []string{"CLIENT", "KILL"}
		if run < len(fixed) {
			args = append(args, fixed[run]...)
		} else {
			args = append(args, randomKill(random, now, self)...)
		}
		l.send([]string{"CLIENT", "LIST"}, args)
		now = parseLines(t, l.reply())
		got := l.reply()
		k, errText := ParseKill(words(args...))
		if unknown := k.UnknownUser(func(name string) bool { return name == "default" || name == "worker" }); unknown != "" {
			errText = unknown
		}
		var hit []uint64
		for _, c := range now {
			if errText == "" && k.Match(&c, self) {
				hit = append(hit, c.ID)
			}
		}
		want := errText
		if errText == "" {
			want = string(k.AppendReply(nil, len(hit)))
		} else {
			refused++
		}
		if got != want {
			t.Errorf("%q: Redis says %q, not %q", args, got, want)
		}
		if alive := l.alive(); alive == slices.Contains(hit, self) {
			t.Errorf("%q: the caller is alive: %v", args, alive)
		}
		_ = l.nc.Close()
		if left := s.left(crowd, hit); len(left) != 0 {
			t.Errorf("%q: still there: %v", args, left)
		}
		closed += len(hit)
	}
	if closed < 100 || refused < 100 {
		t.Errorf("of %d commands %d were refused, %d clients were closed", runs, refused, closed)
	}
}

// left returns which of ids are still clients, and forgets those of the crowd that
// are not.
func (s *server) left(crowd map[string]*link, ids []uint64) (left []uint64) {
	s.t.Helper()
	l := s.dial()
	there := map[string]bool{}
	for _, c := range parseLines(s.t, l.do("CLIENT", "LIST")) {
		there[c.Name] = true
		if slices.Contains(ids, c.ID) {
			left = append(left, c.ID)
		}
	}
	_ = l.nc.Close()
	for name, member := range crowd {
		if !there[name] {
			_ = member.nc.Close()
			delete(crowd, name)
		}
	}
	return left
}

// TestUnblockLikeRedis compares whom CLIENT UNBLOCK unblocks, how, and its errors.
func TestUnblockLikeRedis(t *testing.T) {
	s := startRedis(t)
	l := s.dial()
	blocked := s.dial()
	id := blocked.id()
	self := strconv.FormatUint(id, 10)
	for _, args := range [][]string{
		{}, {self}, {self, "timeout"}, {self, "TIMEOUT\x00x"}, {self, "error"}, {self, "eRRor"}, {self, "x"}, {self, ""}, {self, "error", "x"},
		{"0"}, {"-1"}, {"x"}, {""}, {"-"}, {"-0"}, {"+1"}, {"01"}, {"1 "}, {"1\x00"}, {"x", "y"}, {"x", "error"}, {"x", "y", "z"},
		{"9223372036854775807"}, {"9223372036854775808"}, {"-9223372036854775808"}, {"-9223372036854775809"}, {"99999999999999999999999"},
	} {
		blocked.send([]string{"BLPOP", "empty", "0"})
		s.await(id, "flags=b")
		args = append([]string{"CLIENT", "UNBLOCK"}, args...)
		got := l.do(args...)
		asked, withError, errText := ParseUnblock(words(args...))
		want, atBlocked := errText, "*-1\r\n"
		if errText == "" {
			want = ":0\r\n"
		}
		if errText == "" && asked == id {
			want = ":1\r\n"
		}
		if got != want {
			t.Errorf("%q: Redis says %q, not %q", args, got, want)
		}
		if got != ":1\r\n" {
			l.ok(":1\r\n", "CLIENT", "UNBLOCK", self)
		} else if withError {
			atBlocked = "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
		}
		if told := blocked.reply(); told != atBlocked {
			t.Errorf("%q: the blocked client gets %q, not %q", args, told, atBlocked)
		}
	}
}

// TestNoEvictLikeRedis compares what CLIENT NO-EVICT sets, and its errors.
func TestNoEvictLikeRedis(t *testing.T) {
	s := startRedis(t)
	for _, was := range []string{"on", "off"} {
		for _, args := range [][]string{{}, {"on"}, {"OFF"}, {"oN\x00x"}, {"off\x00"}, {""}, {"yes"}, {"on", "off"}, {"on", ""}} {
			l := s.dial()
			l.ok("+OK\r\n", "CLIENT", "NO-EVICT", was)
			args = append([]string{"Client", "No-Evict"}, args...)
			on, want := ParseOnOff(words(args...), 2)
			if want == "" {
				want = "+OK\r\n"
			} else {
				on = was == "on"
			}
			l.ok(want, args...)
			if c := parseLines(t, l.do("CLIENT", "INFO"))[0]; c.NoEvict != on {
				t.Errorf("%q after %s: no-evict is %v, not %v", args, was, c.NoEvict, on)
			}
		}
	}
}

// TestReplyLikeRedis compares what CLIENT REPLY leaves out, and its errors.
func TestReplyLikeRedis(t *testing.T) {
	s := startRedis(t)
	left := map[ReplyMode][]string{ReplyOn: {"+OK\r\n", "a", "b"}, ReplyOff: nil, ReplySkip: {"b"}}
	for _, args := range [][]string{{}, {"on"}, {"OFF"}, {"Skip"}, {"skip\x00x"}, {""}, {"x\r\n"}, {"on", "off"}, {"off", ""}} {
		l := s.dial()
		args = append([]string{"CLIENT", "REPLY"}, args...)
		mode, errText := ParseReply(words(args...))
		want := left[mode]
		if errText != "" {
			want = []string{errText, "a", "b"}
		}
		l.send(args, []string{"ECHO", "a"}, []string{"ECHO", "b"}, []string{"CLIENT", "REPLY", "ON"}, []string{"ECHO", "end"})
		for _, reply := range append(slices.Clone(want), "+OK\r\n", "end") {
			if got := l.reply(); got != reply {
				t.Fatalf("%q: %q, not %q", args, got, reply)
			}
		}
	}
}

// TestNamesLikeRedis compares which names CLIENT SETNAME takes.
func TestNamesLikeRedis(t *testing.T) {
	l := startRedis(t).dial()
	names := []string{"", "rq:worker-1", "a b", " ", "a\nb", "a\x00", "\u00e9", "~", "!"}
	for b := range 256 {
		names = append(names, "x"+string([]byte{byte(b)}))
	}
	for _, name := range names {
		got := l.do("CLIENT", "SETNAME", name)
		if ValidName([]byte(name)) != (got == "+OK\r\n") {
			t.Errorf("%q: Redis says %q", name, got)
		}
	}
}

var kindWords = []string{"normal", "NORMAL", "master", "replica", "Slave", "pubsub", "x", "pubsu", "", "normal\x00", "nor\nmal"}

func pick(random *rand.Rand, of ...string) string { return of[random.IntN(len(of))] }

func idsOf(clients []Client) (ids []uint64) {
	for _, c := range clients {
		ids = append(ids, c.ID)
	}
	return ids
}

// randomID is mostly the id of a client, else something like one.
func randomID(random *rand.Rand, clients []Client) string {
	if random.IntN(4) != 0 {
		return strconv.FormatUint(clients[random.IntN(len(clients))].ID, 10)
	}
	return pick(random, "0", "-1", "x", "", "01", "1.0", "999999", "9223372036854775808")
}

// randomKill makes the arguments of a CLIENT KILL for some of clients, or wrong ones.
// Clients are chosen narrowly, so that a crowd lasts for many commands.
func randomKill(random *rand.Rand, clients []Client, self uint64) []string {
	one := clients[random.IntN(len(clients))]
	if random.IntN(8) == 0 {
		return []string{pick(random, one.Addr, one.LAddr, strings.ToUpper(one.Addr), one.Addr+"\x00", "id")}
	}
	filters := [][]string{
		{"ID", randomID(random, clients)}, {"id", strconv.FormatUint(self, 10)}, {"TYPE", pick(random, kindWords...)},
		{"USER", pick(random, "worker", "default", "nobody")}, {"user", one.User}, {"ADDR", one.Addr}, {"addr", one.LAddr},
		{"LADDR", one.LAddr}, {"SKIPME", pick(random, "yes", "no", "NO", "x")}, {pick(random, "what", "LIST", ""), "1"},
	}
	args := []string{"ID", strconv.FormatUint(one.ID, 10)}
	if random.IntN(6) == 0 {
		args = nil
	}
	for range 1 + random.IntN(3) {
		args = append(args, filters[random.IntN(len(filters))]...)
	}
	if random.IntN(10) == 0 {
		args = append(args, pick(random, "ID", "skipme", "x"))
	}
	return args
}
