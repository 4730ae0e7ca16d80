package drill

import (
	"errors"
	"fmt"
	"strings"

	"steadis/test/workload/wire"
)

// explain turns a server's refusal of a command into what to enable for it. who is
// the user that asked, empty for the default one. Errors that are no refusal come
// back as they are. It is pure.
func explain(command, addr, who string, err error) error {
	var refusal wire.Error
	if !errors.As(err, &refusal) {
		return fmt.Errorf("%s at %s: %w", command, addr, err)
	}
	if who == "" {
		who = "default"
	}
	text := refusal.Error()
	name, _, _ := strings.Cut(strings.ToLower(command), " ")
	advice := ""
	switch {
	case strings.HasPrefix(text, "ERR DEBUG command not allowed"):
		advice = "set `enable-debug-command yes` (or `local`, if the drill runs on the nodes' own machine) in redis.conf of every node and restart them one by one; it cannot be set at run time"
	case refusal.Prefix() == "NOPERM" && name == "sentinel":
		advice = fmt.Sprintf("allow it on every Sentinel: `ACL SETUSER %s +sentinel|failover`", who)
	case refusal.Prefix() == "NOPERM":
		advice = fmt.Sprintf("allow it on every node: `ACL SETUSER %s +%s`, or name a user that may with upstream.user", who, name)
	case refusal.Prefix() == "NOAUTH" && name == "sentinel", refusal.Prefix() == "WRONGPASS" && name == "sentinel":
		advice = "give the Sentinels' password with sentinel_auth.password_file"
	case refusal.Prefix() == "NOAUTH", refusal.Prefix() == "WRONGPASS":
		advice = "give the nodes' password with upstream.password_file"
	case strings.HasPrefix(text, "ERR unknown command"):
		advice = fmt.Sprintf("it is renamed or disabled there; remove `rename-command %s ...` from redis.conf and restart the node", strings.ToUpper(name))
	case refusal.Prefix() == "DENIED":
		advice = "the server is in protected mode; set a password or `protected-mode no`, or run the drill on its machine"
	case refusal.Prefix() == "INPROG":
		advice = "a failover is under way already; wait for its end"
	case refusal.Prefix() == "NOGOODSLAVE":
		advice = "no replica is fit to be promoted; see SENTINEL REPLICAS"
	}
	if advice == "" {
		return fmt.Errorf("%s refuses %s: %w", addr, command, refusal)
	}
	return fmt.Errorf("%s refuses %s (%w): %s", addr, command, refusal, advice)
}
