package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hash is a user's hash as it must be.
var hash = "#" + strings.Repeat("5e", 32)

// wrongCases are wrong, missing and contradictory configurations as somebody would give them
// to `steadis serve`, and for each fault that there is the key, the value and the remedy.
// $DIR is a directory of the case's own. What the case does not give, is right.
var wrongCases = []struct {
	name, args string
	env        []string
	file       string
	faults     []string
}{
	{name: "nothing named", args: "--sentinel= --master=", faults: []string{
		"sentinel (--sentinel) is not set; name your Sentinels: --sentinel 10.0.0.1:26379", "master (--master) is not set; give the name of your master"}},
	{name: "a master and no Sentinel", args: "--sentinel=", faults: []string{"sentinel (--sentinel) is not set; name your Sentinels"}},
	{name: "a Sentinel without a port", args: "--sentinel 10.0.0.1", faults: []string{"sentinel '10.0.0.1' (--sentinel) has no port; write host:port, such as 10.0.0.1:26379"}},
	{name: "a URL for a Sentinel", args: "--sentinel redis://a:26379", faults: []string{"sentinel 'redis://a:26379' (--sentinel) is a URL; write only host:port"}},
	{name: "a password in an address", args: "--sentinel user@a:26379", faults: []string{"sentinel 'user@a:26379' (--sentinel) has a user in it; write only host:port"}},
	{name: "a Sentinel twice", args: "--sentinel a:1,b:1,A:1", faults: []string{"sentinel 'A:1' (--sentinel) stands twice in the list, and would have two votes; name each Sentinel once"}},
	{name: "a port too large", args: "--sentinel a:70000", faults: []string{"sentinel 'a:70000' (--sentinel) has the port '70000'; a port is a number from 1 to 65535"}},
	{name: "an IPv4 address that is none", args: "--sentinel 10.0.0.300:1", faults: []string{"sentinel '10.0.0.300:1' (--sentinel) has the host '10.0.0.300', which is not an IPv4 address"}},
	{name: "a comma too many", args: "--sentinel a:1,,b:1", faults: []string{"sentinel 'a:1,,b:1' (--sentinel) has an empty entry (number 2); remove the comma too many"}},
	{name: "a blank in the master's name", env: []string{"STEADIS_MASTER=my master"}, faults: []string{"master 'my master' (STEADIS_MASTER) has a blank or a control character in it"}},
	{name: "no listener", args: "--listen=", faults: []string{"listen (--listen) is empty, so no client could connect; write for example 127.0.0.1:6379"}},
	{name: "a socket that is not absolute", args: "--listen unix:run/s", faults: []string{"listen 'unix:run/s' (--listen) is not an absolute path; write unix:/path/to/socket"}},
	{name: "a socket's path too long", args: "--listen unix:/" + strings.Repeat("x", 120), faults: []string{"has a path of 121 characters; a socket's path has at most 107"}},
	{name: "a listener twice", args: "--listen 127.0.0.1:7,:7", faults: []string{"listen ':7' (--listen) takes the same place as '127.0.0.1:7'; remove one of the two"}},
	{name: "the admin server on a client's port", args: "--listen 127.0.0.1:7 --admin 127.0.0.1:7", faults: []string{
		"admin '127.0.0.1:7' (--admin) takes the same port as listen '127.0.0.1:7'; choose another port for one of the two"}},
	{name: "steadis for its own Sentinel", args: "--listen :7 --sentinel localhost:7", faults: []string{"sentinel 'localhost:7' (--sentinel) is steadis itself, which listens on ':7'; give the Sentinel's address"}},
	{name: "an address map that leads back", args: "--listen :7 --address-map a:1=127.0.0.1:7", faults: []string{"leads to steadis itself, which listens on ':7'; give the Redis server's address"}},
	{name: "an address map that is none", args: "--address-map a:1", faults: []string{"address_map 'a:1' (--address-map) has the entry 'a:1', which is not a pair; write announced=reachable"}},
	{name: "an address mapped twice", args: "--address-map a:1=b:1,a:1=c:1", faults: []string{"maps 'a:1' twice; keep one of the two"}},
	{name: "a hold without a unit", args: "--hold 30", faults: []string{"hold '30' (--hold) has no unit; write 30s for seconds or 30ms for milliseconds"}},
	{name: "no hold at all", args: "--hold 0s", faults: []string{"hold '0s' (--hold) must be more than 0"}},
	{name: "no room for held commands", args: "--hold-max-commands 0 --hold-max-bytes 0", faults: []string{
		"hold_max_commands '0' (--hold-max-commands) must be more than 0", "hold_max_bytes '0b' (--hold-max-bytes) must be more than 0"}},
	{name: "in doubt, what", args: "--in-doubt reject", faults: []string{"in_doubt 'reject' (--in-doubt) is not one of close, error, retry"}},
	{name: "replicas that are waited for longer than the hold", args: "--durable-replicas 1 --durable-timeout 40s", faults: []string{
		"durable.timeout '40s' (--durable-timeout) is not shorter than hold (30s), after which a silent connection is given up; lower it or raise hold"}},
	{name: "fewer replicas than none", args: "--durable-replicas -1", faults: []string{"durable.replicas '-1' (--durable-replicas) must be 0 or more"}},
	{name: "reads of another kind", args: "--durable-reads all", faults: []string{"durable.reads 'all' (--durable-reads) is not one of confirmed, any"}},
	{name: "polls too often", args: "--sentinel-poll 1ms --sentinel-poll-holding 1ms", faults: []string{
		"sentinel_poll '1ms' (--sentinel-poll) must be at least 10ms", "sentinel_poll_holding '1ms' (--sentinel-poll-holding) must be at least 10ms"}},
	{name: "polls less often while holding", args: "--sentinel-poll-holding 5s", faults: []string{"sentinel_poll_holding '5s' (--sentinel-poll-holding) is longer than sentinel_poll (1s)"}},
	{name: "a user without a password", args: "--upstream-user app", faults: []string{"upstream.user 'app' (--upstream-user) has no password; set upstream.password or upstream.password_file"}},
	{name: "a Sentinel's user without a password", env: []string{"STEADIS_SENTINEL_AUTH_USER=app"}, faults: []string{"sentinel_auth.user 'app' (STEADIS_SENTINEL_AUTH_USER) has no password"}},
	{name: "a password and a file of it", args: "--upstream-password x --upstream-password-file $DIR/p", faults: []string{"upstream.password_file '$DIR/p' (--upstream-password-file) contradicts upstream.password, which is set too; remove one of the two"}},
	{name: "a password's file that is not there", args: "--upstream-password-file $DIR/none", faults: []string{"upstream.password_file '$DIR/none' (--upstream-password-file) cannot be read: open $DIR/none: no such file"}},
	{name: "what config prints for a password", args: "--upstream-password (set)", faults: []string{"upstream.password (--upstream-password) is '(set)', which `steadis config` prints in place of a password; write the password itself"}},
	{name: "no connections", args: "--upstream-connections 0", faults: []string{"upstream.connections '0' (--upstream-connections) must be more than 0"}},
	{name: "no dials", args: "--upstream-dials 0 --upstream-dial-rate -1", faults: []string{
		"upstream.dials '0' (--upstream-dials) must be more than 0", "upstream.dial_rate '-1' (--upstream-dial-rate) must be 0 or more"}},
	{name: "no heartbeat", args: "--upstream-heartbeat 0s", faults: []string{"upstream.heartbeat '0s' (--upstream-heartbeat) must be more than 0"}},
	{name: "auth of another kind", args: "--auth acl", faults: []string{"auth 'acl' (--auth) is not one of passthrough, static"}},
	{name: "users whom nobody asks for", args: "--users app=" + hash, faults: []string{"users (--users) has no effect with auth passthrough, where the master judges passwords; set auth to static, or remove it"}},
	{name: "a user with a password", args: "--auth static --users app=hunter2", faults: []string{"users (--users) has the user 'app', which needs the SHA-256 of the password as # and 64 hexadecimal digits"}},
	{name: "a user with a password of Redis' form", args: "--auth static --users app=>hunter2", faults: []string{"has the user 'app', which needs the SHA-256"}},
	{name: "a hash too short", args: "--auth static --users app=#5e88hunter2", faults: []string{"has the user 'app', which needs the SHA-256"}},
	{name: "a user without a hash", args: "--auth static --users hunter2", faults: []string{"users (--users) has the entry number 1, which is not a name and a hash; write name=#<SHA-256 of the password>"}},
	{name: "a user twice", args: "--auth static --users app=" + hash + ",app=nopass", faults: []string{"users (--users) has the user 'app' twice; keep one of the two"}},
	{name: "a hash and none", args: "--auth static", file: "users: {app: '" + hash + " nopass'}\n", faults: []string{"has the user 'app', which has a hash and nopass, which contradict each other; remove one of the two"}},
	{name: "what config prints for a hash", args: "--auth static", file: "users: {app: (set)}\n", faults: []string{"has '(set)', which `steadis config` prints in place of a hash; write the hash itself"}},
	{name: "users that are a list", args: "--auth static", file: "users: [hunter2]\n", faults: []string{"users (steadis.yaml, line 1) must be a mapping, with lines such as app:"}},
	{name: "users in two places", args: "--auth static --users app=" + hash + " --users-file $DIR/p", faults: []string{"users_file '$DIR/p' (--users-file) contradicts users, which is set too; remove one of the two"}},
	{name: "a users file that is not there", args: "--auth static --users-file $DIR/none", faults: []string{"users_file '$DIR/none' (--users-file) cannot be read: open $DIR/none: no such file"}},
	{name: "a users file that is none", args: "--auth static --users-file $DIR/p", faults: []string{"users_file '$DIR/p' (--users-file) has a line 1 that is not a name and a hash; write name #<SHA-256 of the password>, and ; before a comment"}},
	{name: "an empty users file", args: "--auth static --users-file /dev/null", faults: []string{"users_file '/dev/null' (--users-file) names no user, so nobody would need a password"}},
	{name: "a master's rights for everybody", args: "--auth static --upstream-password x --listen 0.0.0.0:7", faults: []string{
		"listen '0.0.0.0:7' (--listen) is open to other machines, whose clients would get the rights of upstream.password without a password (auth static): give every user in users a hash, or demand certificates on a tls:// listener (tls.client_ca_file), or listen on 127.0.0.1 or unix:/path, or set protected to false"}},
	{name: "a master's rights for everybody who says guest", args: "--auth static --upstream-password x --listen :7,unix:$DIR/s --users app=" + hash + ",guest=nopass", faults: []string{"listen ':7' (--listen) is open to other machines"}},
	{name: "no clients", args: "--limits-clients 0", faults: []string{"limits.clients '0' (--limits-clients) must be more than 0"}},
	{name: "a number in words", args: "--limits-clients many", faults: []string{"limits.clients 'many' (--limits-clients) is not a whole number; write digits only, such as 100"}},
	{name: "a size in words", args: "--limits-output much", faults: []string{"limits.output 'much' (--limits-output) is not a size; write bytes or a unit, such as 65536, 64kb, 256mb or 1gb"}},
	{name: "a soft limit above the hard one", args: "--limits-pubsub-output 1mb", faults: []string{"limits.pubsub_output_soft '8mb' is more than limits.pubsub_output (1mb), at which the client is disconnected at once; lower it"}},
	{name: "no memory", args: "--limits-memory 0 --limits-query-memory 0", faults: []string{
		"limits.memory '0b' (--limits-memory) must be more than 0", "limits.query_memory '0b' (--limits-query-memory) must be more than 0"}},
	{name: "idle for less than no time", args: "--limits-idle -1s", faults: []string{"limits.idle '-1s' (--limits-idle) must be 0 or more"}},
	{name: "keepalive faster than TCP", args: "--limits-keepalive 10ms", faults: []string{"limits.keepalive '10ms' (--limits-keepalive) is less than a second, the least that TCP knows; raise it, or write 0 for none"}},
	{name: "a token for no admin server", args: "--admin= --admin-token hunter2 --admin-pprof", faults: []string{
		"admin_token (--admin-token) has no effect, as admin is empty and there is no admin server; set admin, or remove it", "admin_pprof 'true' (--admin-pprof) has no effect"}},
	{name: "a token twice", args: "--admin-token hunter2 --admin-token-file $DIR/p", faults: []string{"admin_token_file '$DIR/p' (--admin-token-file) contradicts admin_token, which is set too; remove one of the two"}},
	{name: "every command denied", args: "--deny-commands *", faults: []string{"deny_commands '*' (--deny-commands) would forbid every command; name the ones to forbid"}},
	{name: "an ACL rule for a command", args: "--deny-commands @all", faults: []string{"deny_commands '@all' (--deny-commands) looks like a rule of Redis' ACLs"}},
	{name: "less than no threads", args: "--threads -1", faults: []string{"threads '-1' (--threads) must be 0 or more"}},
	{name: "a level that is none", args: "--log-level verbose", faults: []string{"log.level 'verbose' (--log-level) is not one of debug, info, warn, error"}},
	{name: "a form that is none", args: "--log-format jsn", faults: []string{"log.format 'jsn' (--log-format) is not one of console, json; did you mean 'json'?"}},
	{name: "an unknown key", file: "hodl: 3s\n", faults: []string{"unknown key 'hodl' in steadis.yaml, line 1; did you mean 'hold'?"}},
	{name: "an unknown key in a section", file: "limits:\n  client: 3\n", faults: []string{"unknown key 'limits.client' in steadis.yaml, line 2; did you mean 'limits.clients'?"}},
	{name: "an unknown variable", env: []string{"STEADIS_MASTR=m"}, faults: []string{"unknown variable 'STEADIS_MASTR'; did you mean 'STEADIS_MASTER'?"}},
	{name: "a file that is no YAML", file: "master: [\n", faults: []string{"steadis.yaml is not valid YAML: line"}},
	{name: "a password that is an alias", file: "upstream:\n  password: *hunter2\n", faults: []string{"steadis.yaml is not valid YAML: a value that begins with * must stand in quotes"}},
	{name: "a key twice", file: "hold: 3s\nhold: 4s\n", faults: []string{"key 'hold' stands twice, in steadis.yaml, line 1 and in line 2; remove one"}},
	{name: "a key without a value", file: "hold:\n", faults: []string{`hold (steadis.yaml, line 1) has no value; write "" for an empty one, or remove the line`}},
	{name: "a section that is a value", file: "limits: 5\n", faults: []string{"limits (steadis.yaml, line 1) is a section; put its keys below it, indented"}},
	{name: "discovery by nothing", args: "--discovery dns --sentinel= --master=", faults: []string{"address is not set, which discovery 'dns' needs"}},
	{name: "masters beside a master", args: "--masters a=:7", faults: []string{
		"listen 'unix:$DIR/s' (STEADIS_LISTEN) contradicts masters, where each has a name and addresses of its own; put it there, or remove masters",
		"master 'm' (STEADIS_MASTER) contradicts masters"}},
	{name: "a master twice in masters", args: "--master= --listen= --masters a=:7,a=:2", faults: []string{"masters 'a' (--masters) stands twice in the list; name each master once, with all its addresses"}},
	{name: "two masters at one address", args: "--master= --listen= --masters a=:7,b=127.0.0.1:7", faults: []string{"masters '127.0.0.1:7' (--masters) takes the same place as ':7'; remove one of the two"}},
	{name: "a master without an address", args: "--master= --listen=", file: "masters: [{name: a}]\n", faults: []string{"masters 'a' (steadis.yaml, line 1) has no address to listen on, so no client could connect; give it one, as in cache=127.0.0.1:6379"}},
	{name: "masters without Sentinels", args: "--master= --listen= --sentinel= --discovery dns --address a:7 --masters a=:7", faults: []string{"masters 'a' (--masters) needs Sentinels, which know several masters by name, and discovery is 'dns'; remove it, or set discovery: sentinel"}},
	{name: "many at once, of all layers", args: "--drain -1s", env: []string{"STEADIS_LISTEN=nowhere", "STEADIS_UPSTREAM_USER=u"}, file: "hold: 30\nin_doubt: never\nlimits:\n  bulk: much\n", faults: []string{
		"hold '30' (steadis.yaml, line 1) has no unit", "in_doubt 'never' (steadis.yaml, line 2) is not one of", "limits.bulk 'much' (steadis.yaml, line 4) is not a size",
		"listen 'nowhere' (STEADIS_LISTEN) has no port", "upstream.user 'u' (STEADIS_UPSTREAM_USER) has no password", "drain '-1s' (--drain) must be 0 or more"}},
}

// TestWrongConfigurations: exit code 2, each fault on a line of its own with its remedy, nothing
// besides, no listener, and no secret.
func TestWrongConfigurations(t *testing.T) {
	if len(wrongCases) < 60 {
		t.Errorf("there are %d cases, want 60", len(wrongCases))
	}
	for _, test := range wrongCases {
		t.Run(test.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "cases") // short: a socket's path is
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			write := func(name, text string) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			write("p", "hunter2\n")
			environ := []string{"STEADIS_SENTINEL=127.0.0.1:1", "STEADIS_MASTER=m", "STEADIS_ADMIN=127.0.0.1:0", "STEADIS_LISTEN=unix:" + dir + "/s"}
			environ = append(environ, test.env...)
			args := append([]string{"serve"}, strings.Fields(strings.ReplaceAll(test.args, "$DIR", dir))...)
			if test.file != "" {
				args = append(args, "--config", write("steadis.yaml", test.file))
			}
			code, stdout, stderr := steadis(t.Context(), environ, args...)
			stderr = strings.ReplaceAll(strings.ReplaceAll(stderr, dir+"/steadis.yaml", "steadis.yaml"), dir, "$DIR")
			if code != 2 || stdout != "" {
				t.Errorf("ended with %d, want 2; stdout %q", code, stdout)
			}
			for _, want := range test.faults {
				if !strings.Contains(stderr, want) {
					t.Errorf("got  %s\nwant %s", stderr, want)
				}
			}
			lines := strings.Count(strings.TrimSpace(stderr), "\n") // the first one says how many
			if len(test.faults) == 1 {
				lines++
			}
			if lines != len(test.faults) || !strings.HasPrefix(stderr, "steadis: the configuration has ") {
				t.Errorf("%d faults, want %d:\n%s", lines, len(test.faults), stderr)
			}
			if strings.Contains(stderr, "hunter2") {
				t.Errorf("shows a secret: %s", stderr)
			}
			if _, err := os.Lstat(filepath.Join(dir, "s")); err == nil {
				t.Error("a listener was opened")
			}
		})
	}
}
