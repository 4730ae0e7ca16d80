package drill

import (
	"errors"
	"strings"
	"testing"

	"steadis/test/workload/wire"
)

// The texts are those of Redis 7.0 (server.c, debug.c, acl.c, sentinel.c).
func TestExplainSaysWhatToEnable(t *testing.T) {
	for _, tc := range []struct{ command, who, refusal, want string }{
		{methodSleep, "", `ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection`, "set `enable-debug-command yes`"},
		{methodSegfault, "ops", "NOPERM this user has no permissions to run the 'debug' command", "`ACL SETUSER ops +debug`"},
		{methodShutdown, "", "NOPERM this user has no permissions to run the 'shutdown' command", "`ACL SETUSER default +shutdown`"},
		{methodFailover, "watch", "NOPERM this user has no permissions to run the 'sentinel|failover' command", "`ACL SETUSER watch +sentinel|failover`"},
		{methodFailover, "", "NOAUTH Authentication required.", "sentinel_auth.password_file"},
		{methodSleep, "", "NOAUTH Authentication required.", "upstream.password_file"},
		{methodSleep, "", "WRONGPASS invalid username-password pair or user is disabled.", "upstream.password_file"},
		{methodSegfault, "", "ERR unknown command 'DEBUG', with args beginning with: 'SEGFAULT'", "remove `rename-command DEBUG ...`"},
		{methodSleep, "", "DENIED Redis is running in protected mode", "protected-mode no"},
		{methodFailover, "", "INPROG Failover already in progress", "wait for its end"},
		{methodFailover, "", "NOGOODSLAVE No suitable replica to promote", "fit to be promoted"},
		{methodFailover, "", "ERR something new", "refuses SENTINEL FAILOVER: ERR something new"},
	} {
		err := explain(tc.command, "10.0.0.1:6379", tc.who, wire.Error(tc.refusal))
		if !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "10.0.0.1:6379") {
			t.Errorf("%s, %q: %v", tc.command, tc.refusal, err)
		}
		var refusal wire.Error
		if !errors.As(err, &refusal) {
			t.Errorf("%v has lost the refusal", err)
		}
	}
	plain := errors.New("connection refused")
	if err := explain(methodSleep, "a:1", "", plain); !errors.Is(err, plain) || strings.Contains(err.Error(), "refuses") {
		t.Errorf("no refusal: %v", err)
	}
}
