package resp

import (
	"io"
	"math"
	"net"
	"strings"
	"testing"
)

// oddInputs is what clients may send that is legal, odd or malformed. Each is sent
// to a real Redis as it is, and through the Guard.
var oddInputs = []string{
	// multibulk headers
	"*1\r\n$4\r\nPING\r\n", "*0\r\n*1\r\n$4\r\nPING\r\n", "*-1\r\nPING\r\n", "*-100\r\nPING\r\n", "*-9223372036854775808\r\nPING\r\n",
	"*-9223372036854775809\r\n", "*9223372036854775807\r\n", "*9223372036854775808\r\n", "*2147483648\r\n", "*99999999999999999999999\r\n",
	"*\r\n", "*a\r\n", "*1a\r\n", "*+1\r\n", "* 1\r\n", "*1 \r\n", "*01\r\n", "*-\r\n", "*-0\r\n", "*0x1\r\n", "**1\r\n", "*1.0\r\n", "*00\r\n",
	"*1\n$4\nPING\n", "*1\rx$4\r\nPING\r\n", "*1\r\r$4\r\nPING\r\n", "*1", "*1\r", "*", "*1\x00\r\n$4\r\nPING\r\n", "*\x00\r\nPING\r\n",
	// bulk headers
	"*1\r\n$-1\r\n", "*1\r\n$\r\n", "*1\r\n$a\r\n", "*1\r\n$4a\r\nPING\r\n", "*1\r\n$04\r\nPING\r\n", "*1\r\n$+4\r\nPING\r\n", "*1\r\n$ 4\r\nPING\r\n",
	"*1\r\n$9223372036854775807\r\nx", "*1\r\n$-9223372036854775808\r\nx", "*1\r\n$536870913\r\n", "*1\r\n$536870912\r\nabc",
	"*1\r\n!4\r\nPING\r\n", "*1\r\n:4\r\n", "*1\r\nPING\r\n", "*1\r\n\r\n", "*1\r\n\n\r\n", "*1\r\n\xff\r\n", "*1\r\n*1\r\n$4\r\nPING\r\n",
	"*1\r\n\x00\r\nabc\r\n", "*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n", "*1\r\n$4\r\nPING\n\r*1\r\n$4\r\nPING\r\n", "*1\r\n$4\rXPING\r\n",
	"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", "*1\r\n$0\r\n\r\n", "*2\r\n$0\r\n\r\n$1\r\na\r\n", "*2\r\n$4\r\nECHO\r\n$3\r\na\x00b\r\n", "*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\r\n\r\n",
	"*2\r\n$4\r\nECHO\r\n!", "*3\r\n$4\r\nECHO\r\n$1\r\na\r\n", "*1\r\n$6\r\nPING\r\n\r\n",
	// good before bad
	"PING\r\n*1\r\n!", "PING\r\n*1\r\n!\r\n", "*1\r\n$4\r\nPING\r\n*x\r\n", "PING\r\nPING \"\r\nPING\r\n", "PING\r\n\r\n*0\r\nPING\r\n*1\r\n$x\r\nPING\r\n",
	// inline
	"PING\r\n", "PING\n", "ping\r\n", "  PING  \r\n", "\tPING\t\r\n", "\vPING\r\n", "PING\v\r\n", "\r\n", "\n\n\nPING\n", "\r\r\nPING\r\n", "PING\rPING\r\n",
	"ECHO \"hello world\"\r\n", "ECHO 'hello world'\r\n", "ECHO \"\\x41\\x4g\\n\\r\\t\\a\\b\\q\\\\\"\r\n", "ECHO 'a\\'b\\n'\r\n", "ECHO \"a\\\"b\"\r\n",
	"ECHO a\"b c\"\r\n", "ECHO a'b c' \r\n", "ECHO \"a\"b\r\n", "ECHO 'a'b\r\n", "ECHO \"a\r\n", "ECHO 'a\r\n", "ECHO \"a\\\r\n", "ECHO \"\"\r\n", "\"\"\r\n",
	"ECHO '' x\r\n", "ECHO a\\x41\r\n", "ECHO \"\\x\"\r\n", "ECHO \"\\x4\"\r\n", "ECHO \"a\"\t\"b\"\r\n", "ECHO \"a\"\v\r\n", "$4\r\nPING\r\n", "+PING\r\n", "-1\r\nPING\r\n",
	"PI\x00NG\r\nPING\r\n", "\x00\r\n", "PING", "PING\r", "\xff\xfe\r\n", "ECHO \"\\x00\"\r\n", " *1\r\n$4\r\nPING\r\n",
	// what stands for a large command, from a client
	placeholder, "PING\r\n" + placeholder + placeholder + "PING\r\n", "'" + placeholderArg + "'\r\n",
	// long
	strings.Repeat("a", 70000), strings.Repeat("a", 60000) + "\r\nPING\r\n", "*" + strings.Repeat("1", 70000), "*1\r\n$" + strings.Repeat("1", 70000),
	"*1\r\n" + strings.Repeat("x", 70000), "ECHO " + strings.Repeat("a", 60000) + "\r\n", "\x00" + strings.Repeat("a", 70000), "*" + strings.Repeat("1", 60000) + "\r\n",
	"*2\r\n$4\r\nECHO\r\n$100000\r\n" + strings.Repeat("v", 100000) + "\r\nPING\r\n",
}

// unauthInputs are for a Redis with a password.
var unauthInputs = []string{
	"PING\r\n", "*10\r\n" + strings.Repeat("$1\r\na\r\n", 10), "*11\r\n" + strings.Repeat("$1\r\na\r\n", 11), "*11\r\n",
	"*1\r\n$16384\r\n" + strings.Repeat("a", 16384) + "\r\n", "*1\r\n$16385\r\n" + strings.Repeat("a", 16385) + "\r\n", "*1\r\n$16385\r\n",
	"PING\r\n*11\r\n", "*-11\r\nPING\r\n", "AUTH wrong\r\n*11\r\n", "*1048577\r\n", "*1\r\n$536870913\r\n",
	"AUTH secret\r\n*11\r\n$4\r\nECHO\r\n" + strings.Repeat("$1\r\na\r\n", 10) + "PING\r\n",
	"AUTH secret\r\n*2\r\n$4\r\nECHO\r\n$20000\r\n" + strings.Repeat("a", 20000) + "\r\nPING\r\n",
	"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*11\r\n$4\r\nECHO\r\n" + strings.Repeat("$1\r\na\r\n", 10) + "*1\r\nx\r\n",
}

// TestGuardEqualsRedis compares what a client sees of a real Redis directly and
// through the Guard.
func TestGuardEqualsRedis(t *testing.T) {
	open := startRedis(t)
	closed := startRedis(t, "--requirepass", "secret")
	if len(oddInputs)+len(unauthInputs) < 100 {
		t.Error("too few inputs")
	}
	for _, c := range []struct {
		socket string
		inputs []string
		unauth bool
	}{{open, oddInputs, false}, {closed, unauthInputs, true}} {
		for _, in := range c.inputs {
			want := direct(t, c.socket, in)
			for _, size := range []int{1 << 20, 3} {
				if got := guarded(t, c.socket, in, size, c.unauth); got != want {
					t.Errorf("%.80q, pieces of %d, unauth %v:\n got %.200q\nwant %.200q", in, size, c.unauth, got, want)
				}
			}
		}
	}
}

// direct sends in to Redis and returns all that comes back until it closes, which it
// does after it has answered what it can of in.
func direct(t *testing.T, socket, in string) string {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// Redis may close before it has read all.
	if _, err := io.WriteString(conn, in); err == nil {
		_ = conn.(*net.UnixConn).CloseWrite()
	}
	out, _ := io.ReadAll(conn)
	return string(out)
}

// guarded sends in through a Guard, and what it hands out to Redis.
func guarded(t *testing.T, socket, in string, size int, unauth bool) string {
	t.Helper()
	limits := Limits{MaxArgs: math.MaxInt32}
	if size == 3 {
		limits.MaxInPlace = 10 // nearly all are large
	}
	g := NewGuard(&pieces{data: []byte(in), next: always(size)}, limits)
	g.SetUnauthenticated(unauth)
	cmds, err := drain(g)
	var through []byte
	for _, c := range cmds {
		through = AppendCommand(through, c...)
	}
	out := direct(t, socket, string(through))
	if fault := faultOf(t, err); fault != "" {
		out += "-ERR " + fault + "\r\n"
	}
	return out
}
