package command

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"steadis/proxy/resp"
)

// startRedis runs a real redis-server on a Unix socket and returns that and a
// function that runs redis-cli there.
func startRedis(t *testing.T, options ...string) (cli func(args ...string) []byte, socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "steadis-command") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "s")
	server := exec.Command("redis-server", append([]string{"--port", "0", "--unixsocket", socket, "--dir", dir, "--save", ""}, options...)...)
	if err := server.Start(); err != nil {
		t.Fatalf("redis-server is needed: %v", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	})
	cli = func(args ...string) []byte {
		out, _ := exec.Command("redis-cli", append([]string{"-s", socket}, args...)...).CombinedOutput()
		return out
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.HasPrefix(string(cli("PING")), "PONG"); {
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
	}
	return cli, socket
}

// entry is what COMMAND says of a command.
type entry struct {
	arity int
	flags []string
}

// parseCommand reads the JSON of COMMAND.
func parseCommand(t *testing.T, raw []byte) map[string]entry {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	all := map[string]entry{}
	for len(list) > 0 {
		var name string
		var e entry
		var parts []json.RawMessage
		if err := json.Unmarshal(list[0], &parts); err != nil {
			t.Fatal(err)
		}
		list = list[1:]
		var subs []json.RawMessage
		for k, into := range map[int]any{0: &name, 1: &e.arity, 2: &e.flags, 9: &subs} {
			if err := json.Unmarshal(parts[k], into); err != nil {
				t.Fatal(err)
			}
		}
		all[name] = e
		list = append(list, subs...)
	}
	return all
}

// harmlessReads are the reads that COMMAND does not flag readonly: they only tell
// something.
var harmlessReads = strings.Fields(`
	acl|cat acl|dryrun acl|genpass acl|getuser acl|list acl|users acl|whoami
	cluster|count-failure-reports cluster|countkeysinslot cluster|getkeysinslot cluster|info
	cluster|keyslot cluster|links cluster|myid cluster|nodes cluster|replicas cluster|shards
	cluster|slaves cluster|slots
	command command|count command|docs command|getkeys command|getkeysandflags command|info command|list
	config|get echo function|dump function|list function|stats info lastsave
	latency|doctor latency|graph latency|histogram latency|history latency|latest
	memory|doctor memory|malloc-stats memory|stats module|list
	pubsub|channels pubsub|numpat pubsub|numsub pubsub|shardchannels pubsub|shardnumsub
	role script|exists slowlog|get slowlog|len time`)

// TestTableAgreesWithRedis compares the table with COMMAND of the real server.
func TestTableAgreesWithRedis(t *testing.T) {
	cli, _ := startRedis(t)
	real := parseCommand(t, cli("--json", "COMMAND"))
	if len(real) < 360 {
		t.Fatalf("COMMAND showed only %d commands", len(real))
	}
	table := map[string]*Info{}
	for _, i := range Commands() {
		table[i.Name] = i
	}
	for name, e := range real {
		i := table[name]
		if i == nil {
			t.Errorf("%s: the table does not have it", name)
			continue
		}
		if i.Arity != e.arity {
			t.Errorf("%s: arity %d, Redis says %d", name, i.Arity, e.arity)
		}
		has := func(flag string) bool { return slices.Contains(e.flags, flag) }
		harmless := strings.HasSuffix(name, "|help") || slices.Contains(harmlessReads, name)
		if i.Class == Read && (has("write") || !has("readonly") && !harmless) {
			t.Errorf("%s is a Read, Redis' flags are %v", name, e.flags)
		}
		if has("readonly") && i.Class != Read && name != "pfcount" {
			t.Errorf("%s is flagged readonly and its class is %v", name, i.Class)
		}
		if has("blocking") && i.Class != Blocking && name != "xread" && name != "xreadgroup" {
			t.Errorf("%s may block and its class is %v", name, i.Class)
		}
		if i.NoAuth != has("no_auth") {
			t.Errorf("%s: NoAuth is %v, Redis' flags are %v", name, i.NoAuth, e.flags)
		}
		if has("write") && (i.Repeatable || i.Class == Session || i.Class == Transaction) {
			t.Errorf("%s is flagged write: class %v, repeatable %v", name, i.Class, i.Repeatable)
		}
		if i.NoData && name != "lolwut" && (has("write") || has("readonly")) {
			t.Errorf("%s is not about data, Redis' flags are %v", name, e.flags)
		}
	}
}

// TestVariantsDoNotWrite runs on a real server what the table calls a read because
// of its arguments, and sees that the data set has not changed.
func TestVariantsDoNotWrite(t *testing.T) {
	cli, _ := startRedis(t)
	cli("RPUSH", "l", "3", "1", "2")
	cli("SET", "s", "value")
	cli("GEOADD", "g", "13.3", "38.1", "Palermo", "15.0", "37.5", "Catania")
	changes := func() string {
		for line := range strings.Lines(string(cli("INFO", "persistence"))) {
			if strings.HasPrefix(line, "rdb_changes_since_last_save:") {
				return line
			}
		}
		t.Fatal("INFO has no rdb_changes_since_last_save")
		return ""
	}
	before := changes()
	for _, line := range []string{
		"SORT l", "SORT l BY nosort GET # LIMIT 0 2 DESC ALPHA", "GETEX s", "BITFIELD s GET u8 0 OVERFLOW SAT GET i4 8",
		"BITFIELD none GET u8 0", "GEORADIUS g 15 37 200 km WITHDIST", "GEORADIUSBYMEMBER g Palermo 200 km ASC",
		"ACL LOG", "ACL LOG 3",
	} {
		i := Lookup(args(line))
		if i.Class != Read || !i.Repeatable {
			t.Errorf("%s: class %v", line, i.Class)
		}
		out := string(cli(strings.Fields(line)...))
		if strings.HasPrefix(out, "ERR") || changes() != before {
			t.Errorf("%s: %q, then %q, before %q", line, out, changes(), before)
		}
	}
}

// TestRedisClosesOnHTTP shows why POST and Host: must not reach a connection that
// clients share.
func TestRedisClosesOnHTTP(t *testing.T) {
	_, socket := startRedis(t)
	for _, line := range []string{"POST / HTTP/1.1\r\n", "hOST: a\r\n", "*1\r\n$4\r\npost\r\n"} {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); err != nil || len(got) > 0 {
			t.Errorf("%q: %q, %v", line, got, err)
		}
		_ = conn.Close()
	}
}

func bytesOf(words []string) [][]byte {
	var out [][]byte
	for _, w := range words {
		out = append(out, []byte(w))
	}
	return out
}

// ask sends the commands, of which each is a line, and returns the reply to the
// last one.
func ask(t *testing.T, socket string, lines ...string) []byte {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var reply []byte
	in := bufio.NewReaderSize(conn, 1<<20)
	for _, line := range lines {
		if _, err := conn.Write(resp.AppendCommandBytes(nil, args(line)...)); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		reply = nil
		var s resp.Scanner
		for done := false; !done; {
			if _, err := in.Peek(1); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			b, _ := in.Peek(in.Buffered())
			n, whole, err := s.Scan(b)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			reply = append(reply, b[:n]...)
			_, _ = in.Discard(n)
			done = whole
		}
	}
	return reply
}

// TestServedByRedis reads COMMAND of the real server in both protocols: it is what
// its JSON says, all of it is known, and merging it changes nothing.
func TestServedByRedis(t *testing.T) {
	cli, socket := startRedis(t)
	real := parseCommand(t, cli("--json", "COMMAND"))
	for _, lines := range [][]string{{"COMMAND"}, {"HELLO 3", "COMMAND"}} {
		served, err := ParseServed(ask(t, socket, lines...))
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]Served{}
		for _, s := range served {
			all[s.Name] = s
			for _, sub := range s.Subcommands {
				all[sub.Name] = sub
			}
		}
		if len(all) != len(real) {
			t.Errorf("%v: %d commands, the JSON has %d", lines, len(all), len(real))
		}
		table := standard.With(served)
		for name, e := range real {
			s := all[name]
			slices.Sort(s.Flags)
			slices.Sort(e.flags)
			if s.Arity != e.arity || !slices.Equal(s.Flags, e.flags) {
				t.Errorf("%v: %+v, the JSON has %+v", lines, s, e)
			}
			if i := table.Lookup(bytesOf(strings.Split(name, "|"))); !i.Known || i.Merged {
				t.Errorf("%s: %+v", name, *i)
			}
		}
		unchanged(t, table)
	}
}

// TestModesOfRedis gives a real server every command that it has between MULTI and
// EXEC, and to a RESP2 client that has subscribed: NotQueued and InSubscribe say what
// it does.
func TestModesOfRedis(t *testing.T) {
	cli, socket := startRedis(t, "--enable-debug-command", "yes", "--enable-module-command", "yes")
	real := parseCommand(t, cli("--json", "COMMAND"))
	for _, i := range Commands() {
		e, has := real[i.Name]
		if !has || i.subcommands != nil {
			continue
		}
		words := strings.Split(i.Name, "|")
		for len(words) < max(e.arity, -e.arity) {
			words = append(words, "1")
		}
		line := strings.Join(words, " ")
		i := Lookup(args(line))
		reply := string(ask(t, socket, "MULTI", line))
		queued := reply == "+QUEUED\r\n" || strings.HasPrefix(reply, "-ERR Command not allowed inside a transaction")
		if queued == i.NotQueued {
			t.Errorf("%s between MULTI and EXEC: NotQueued is %v and the reply is %q", line, i.NotQueued, reply)
		}
		reply = string(ask(t, socket, "SUBSCRIBE c", line))
		if forbidden := strings.Contains(reply, "Can't execute '"); forbidden == i.InSubscribe {
			t.Errorf("%s while subscribed: InSubscribe is %v and the reply is %q", line, i.InSubscribe, reply)
		}
	}
}
