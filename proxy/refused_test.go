package proxy_test

import (
	"testing"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

// TestAuthFromAUserWhoIsGone: the new master does not know the session's user. What
// it says to another one, whom it has not seen yet either, is about that one.
func TestAuthFromAUserWhoIsGone(t *testing.T) {
	for _, tt := range []struct{ name, cmd, want string }{
		{"AUTH", "AUTH alice pw", "+OK\r\n"},
		{"HELLO", "HELLO 2 AUTH alice pw", "*14\r\n"},
		{"a wrong password", "AUTH alice no", "-WRONGPASS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := realRedis(t), realRedis(t)
			front, _, publish := inFront(t, proxy.Options{}, a)
			newTalk(t, a).ask("ACL SETUSER ghost on >pw ~* &* +@all")
			newTalk(t, b).ask("ACL SETUSER alice on >pw ~* &* +@all")
			k := newTalk(t, front)
			k.want("AUTH ghost pw", "+OK")
			k.want("SELECT 3", "+OK")
			k.want("SET k a", "+OK")
			publish(topology.Serving, b)
			k.want("GET k", "-WRONGPASS")
			k.want(tt.cmd, tt.want)
			if tt.want[0] == '-' {
				k.want("GET k", "-WRONGPASS")
				return
			}
			k.want("ACL WHOAMI", "$5\r\nalice\r\n")
			k.want("SET k b", "+OK")
			newTalk(t, b).want("SELECT 3", "+OK")
		})
	}
}
