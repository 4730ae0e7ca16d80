package config

import (
	"strings"
	"testing"
)

const socket = "unix:/run/steadis.sock"

// faultTests holds what is wrong, missing or contradictory, and how it is said:
// want is part of the one line that each must give.
var faultTests = []struct {
	given given
	want  string
}{
	// unknown names
	{given{file: "master: m\n\nhodl: 30s\n"}, "unknown key 'hodl' in steadis.yaml, line 3; did you mean 'hold'?"},
	{given{file: "limits:\n  client: 5\n"}, "unknown key 'limits.client' in steadis.yaml, line 2; did you mean 'limits.clients'?"},
	{given{file: "replicas: 1\n"}, "replicas (steadis.yaml, line 1) is a section; put its keys below it, indented"},
	{given{file: "reads: any\n"}, "unknown key 'reads' in steadis.yaml, line 1; did you mean 'durable.reads'?"},
	{given{file: "upstream:\n  level: info\n"}, "unknown key 'upstream.level' in steadis.yaml, line 2; did you mean 'log.level'?"},
	{given{file: "in-doubt: close\n"}, "did you mean 'in_doubt'?"},
	{given{file: "Master: m\n"}, "unknown key 'Master' in steadis.yaml, line 1; did you mean 'master'?"},
	{given{file: "logging:\n  level: info\n"}, "unknown key 'logging' in steadis.yaml, line 1; `steadis config --default` lists the known ones"},
	{given{file: "1: 2\n"}, "unknown key '1' in steadis.yaml, line 1"},
	{given{env: []string{"STEADIS_HODL=1s"}}, "unknown variable 'STEADIS_HODL'; did you mean 'STEADIS_HOLD'?"},
	{given{env: []string{"STEADIS_REDIS=x"}}, "unknown variable 'STEADIS_REDIS'; `steadis config --default` lists the known ones"},
	{given{env: []string{"STEADIS_PORT=6379"}}, "unknown variable 'STEADIS_PORT'"},
	{given{env: []string{"STEADIS_DURABLE=1"}}, "unknown variable 'STEADIS_DURABLE'"},
	// the form of the file
	{given{file: "master: [\n"}, "steadis.yaml is not valid YAML: line"},
	{given{file: "master\n"}, "steadis.yaml has no keys; write lines such as `master: mymaster`"},
	{given{file: "- master\n"}, "steadis.yaml has no keys"},
	{given{file: "master: a\nhold: 3s\nmaster: b\n"}, "key 'master' stands twice, in steadis.yaml, line 1 and in line 3; remove one"},
	{given{file: "log:\n  level: info\nlog:\n  format: json\n"}, "key 'log' stands twice"},
	{given{file: "limits.bulk: 1mb\nlimits:\n  bulk: 2mb\n"}, "key 'limits.bulk' stands twice"},
	{given{file: "master: a\n---\nmaster: b\n"}, "has a second document; put everything in one"},
	{given{file: "log: &x {level: info}\nlimits: *x\n"}, "steadis.yaml, line 2: aliases, merged and compound keys are not understood"},
	{given{file: "? [a, b]\n: c\n"}, "compound keys are not understood"},
	{given{file: "limits: 5\n"}, "limits (steadis.yaml, line 1) is a section; put its keys below it, indented"},
	{given{file: "master:\n"}, `master (steadis.yaml, line 1) has no value; write "" for an empty one, or remove the line`},
	{given{file: "master: ~\n"}, "has no value"},
	{given{file: "master: [a]\n"}, "master (steadis.yaml, line 1) must be a single value"},
	{given{file: "hold: {a: b}\n"}, "must be a single value"},
	{given{file: "sentinel: {a: b}\n"}, "must be a list, such as [a, b]"},
	{given{file: "sentinel: [[a]]\n"}, "has an entry that is not plain text"},
	{given{file: "sentinel:\n  -\n"}, "has an entry that is not plain text"},
	{given{file: "address_map: [a]\n"}, "must be a mapping"},
	{given{file: "address_map: {a: {b: c}}\n"}, "has an entry that is not plain text"},
	{given{env: []string{"STEADIS_CONFIG=/nowhere/steadis.yaml"}}, "the configuration file /nowhere/steadis.yaml does not exist; `steadis config --default > steadis.yaml` writes one"},
	{given{env: []string{"STEADIS_CONFIG=/"}}, "cannot read the configuration file: read /: is a directory"},
	{given{file: strings.Repeat("#\n", maxFile/2+1)}, "larger than 1mb"},
	// types
	{given{args: []string{"--hold", "30"}}, "hold '30' (--hold) has no unit; write 30s for seconds or 30ms for milliseconds"},
	{given{file: "hold: soon\n"}, "hold 'soon' (steadis.yaml, line 1) is not a duration; write a number and a unit, such as 500ms, 30s or 1m30s"},
	{given{env: []string{"STEADIS_HOLD="}}, "hold (STEADIS_HOLD) is not a duration"},
	{given{args: []string{"--hold", "30 s"}}, "is not a duration"},
	{given{args: []string{"--limits-clients", "many"}}, "limits.clients 'many' (--limits-clients) is not a whole number; write digits only, such as 100"},
	{given{args: []string{"--limits-clients", "1e4"}}, "is not a whole number"},
	{given{args: []string{"--limits-clients", "1_000"}}, "is not a whole number"},
	{given{args: []string{"--limits-clients", "99999999999999999999"}}, "is larger than a number can be"},
	{given{args: []string{"--limits-bulk", "1tb"}}, "limits.bulk '1tb' (--limits-bulk) is not a size; write bytes or a unit, such as 65536, 64kb, 256mb or 1gb"},
	{given{args: []string{"--limits-bulk", "1.5gb"}}, "is not a size"},
	{given{args: []string{"--limits-bulk", "mb"}}, "is not a size"},
	{given{args: []string{"--limits-bulk", "9999999999gb"}}, "is larger than a size can be"},
	{given{env: []string{"STEADIS_SENTINEL=a:1,,b:2"}}, "sentinel 'a:1,,b:2' (STEADIS_SENTINEL) has an empty entry (number 2); remove the comma too many"},
	{given{env: []string{"STEADIS_ADDRESS_MAP=a:1"}}, "has the entry 'a:1', which is not a pair; write announced=reachable"},
	{given{env: []string{"STEADIS_ADDRESS_MAP=a:1=b:1,a:1=c:1"}}, "maps 'a:1' twice; keep one of the two"},
	// addresses
	{given{args: []string{"--sentinel", "10.0.0.1"}}, "sentinel '10.0.0.1' (--sentinel) has no port; write host:port, such as 10.0.0.1:26379"},
	{given{args: []string{"--sentinel", "redis://10.0.0.1:26379"}}, "is a URL; write only host:port"},
	{given{args: []string{"--sentinel", "user@a:1"}}, "has a user in it; write only host:port"},
	{given{args: []string{"--sentinel", "a:1 b:2"}}, "has a blank in it; write host:port, and commas between two"},
	{given{args: []string{"--sentinel", "::1"}}, "is an IPv6 address without a port; write [::1]:26379"},
	{given{args: []string{"--sentinel", "fe80::zz:26379"}}, "an IPv6 address needs brackets"},
	{given{args: []string{"--sentinel", "[::1]"}}, "has no port"},
	{given{args: []string{"--sentinel", "[10.0.0.1]:1"}}, "has an IPv4 address in brackets; write 10.0.0.1 without them"},
	{given{args: []string{"--sentinel", "[host]:1"}}, "has 'host' in brackets, which is not an IPv6 address"},
	{given{args: []string{"--sentinel", "10.0.0.256:1"}}, "has the host '10.0.0.256', which is not an IPv4 address"},
	{given{args: []string{"--sentinel", "ho$t:1"}}, "has the host 'ho$t', in which '$' cannot stand"},
	{given{args: []string{"--sentinel", strings.Repeat("a", 254) + ":1"}}, "has a host name of more than 253 characters"},
	{given{args: []string{"--sentinel", "a:0"}}, "has the port 0, which nobody can connect to"},
	{given{args: []string{"--sentinel", ":26379"}}, "has no host; write for example 127.0.0.1:26379"},
	{given{args: []string{"--sentinel", "a:65536"}}, "has the port '65536'; a port is a number from 1 to 65535"},
	{given{args: []string{"--sentinel", "a:redis"}}, "has the port 'redis'"},
	{given{args: []string{"--sentinel", "a:-1"}}, "has the port '-1'"},
	{given{args: []string{"--sentinel", "a:1,b:1,A:1"}}, "sentinel 'A:1' (--sentinel) stands twice in the list, and would have two votes"},
	{given{args: []string{"--sentinel", "[::1]:1,[0:0::1]:01"}}, "stands twice in the list"},
	{given{args: []string{"--address-map", "a:1=b"}}, "address_map 'b' (--address-map) has no port"},
	{given{args: []string{"--address-map", "a:0=b:1"}}, "address_map 'a:0' (--address-map) has the port 0"},
	{given{args: []string{"--listen", ""}}, "listen (--listen) is empty, so no client could connect"},
	{given{args: []string{"--listen", "6379"}}, "listen '6379' (--listen) has no port"},
	{given{args: []string{"--listen", "unix:steadis.sock"}}, "is not an absolute path; write unix:/path/to/socket"},
	{given{args: []string{"--listen", "unix:/" + strings.Repeat("x", 107)}}, "has a path of 108 characters; a socket's path has at most 107"},
	{given{args: []string{"--admin", "9380"}}, "admin '9380' (--admin) has no port"},
	// contradictions
	{given{args: []string{"--listen", "a:1,a:1"}}, "listen 'a:1' (--listen) takes the same place as 'a:1'; remove one of the two"},
	{given{args: []string{"--listen", "127.0.0.1:1,:1"}}, "listen ':1' (--listen) takes the same place as '127.0.0.1:1'"},
	{given{args: []string{"--listen", socket + "," + socket}}, "takes the same place as '" + socket + "'"},
	{given{args: []string{"--admin", "127.0.0.1:6379"}}, "admin '127.0.0.1:6379' (--admin) takes the same port as listen '127.0.0.1:6379'"},
	{given{args: []string{"--admin", ":6379"}}, "takes the same port as listen"},
	{given{args: []string{"--sentinel", "localhost:6379", "--listen", ":6379"}}, "sentinel 'localhost:6379' (--sentinel) is steadis itself, which listens on ':6379'"},
	{given{args: []string{"--address-map", "a:1=127.0.0.1:6379"}}, "address_map 'a:1=127.0.0.1:6379' (--address-map) leads to steadis itself"},
	{given{args: []string{"--sentinel-poll-holding", "2s"}}, "sentinel_poll_holding '2s' (--sentinel-poll-holding) is longer than sentinel_poll (1s)"},
	{given{file: "upstream:\n  password: a\n  password_file: $DIR/steadis.yaml\n"}, "contradicts upstream.password, which is set too; remove one of the two"},
	{given{args: []string{"--sentinel-auth-user", "u"}}, "sentinel_auth.user 'u' (--sentinel-auth-user) has no password"},
	// values
	{given{args: []string{"--hold", "0"}}, "hold '0s' (--hold) must be more than 0"},
	{given{args: []string{"--hold", "-3s"}}, "hold '-3s' (--hold) must be more than 0"},
	{given{args: []string{"--hold-max-commands", "0"}}, "hold_max_commands '0' (--hold-max-commands) must be more than 0"},
	{given{args: []string{"--hold-max-bytes", "-1mb"}}, "hold_max_bytes '-1mb' (--hold-max-bytes) must be more than 0"},
	{given{args: []string{"--in-doubt", "ignore"}}, "in_doubt 'ignore' (--in-doubt) is not one of close, error, retry"},
	{given{args: []string{"--in-doubt", "Close"}}, "is not one of close, error, retry; did you mean 'close'?"},
	{given{args: []string{"--durable-replicas", "-1"}}, "durable.replicas '-1' (--durable-replicas) must be 0 or more"},
	{given{args: []string{"--durable-timeout", "0"}}, "durable.timeout '0s' (--durable-timeout) must be at least 1ms"},
	{given{args: []string{"--durable-replicas", "1", "--hold", "5s"}}, "durable.timeout '10s' is not shorter than hold (5s)"},
	{given{args: []string{"--fence=yes"}}, "fence 'yes' (--fence) is neither true nor false"},
	{given{args: []string{"--without-majority", "stop"}}, "without_majority 'stop' (--without-majority) is not one of serve, hold"},
	{given{file: "admin_token: a\nadmin_token_file: $DIR/steadis.yaml\n"}, "contradicts admin_token, which is set too; remove one of the two"},
	{given{args: []string{"--durable-reads", "all"}}, "durable.reads 'all' (--durable-reads) is not one of confirmed, any"},
	{given{args: []string{"--durable-emptied-master", "no"}}, "durable.emptied_master 'no' (--durable-emptied-master) is not one of replace, serve"},
	{given{args: []string{"--sentinel-poll", "1ms"}}, "sentinel_poll '1ms' (--sentinel-poll) must be at least 10ms"},
	{given{args: []string{"--sentinel-poll-holding", "0"}}, "sentinel_poll_holding '0s' (--sentinel-poll-holding) must be at least 10ms"},
	{given{args: []string{"--sentinel-timeout", "0"}}, "sentinel_timeout '0s' (--sentinel-timeout) must be more than 0"},
	{given{args: []string{"--upstream-connections", "0"}}, "upstream.connections '0' (--upstream-connections) must be more than 0"},
	{given{args: []string{"--upstream-heartbeat", "0"}}, "upstream.heartbeat '0s' (--upstream-heartbeat) must be more than 0"},
	{given{args: []string{"--limits-clients", "-1"}}, "limits.clients '-1' (--limits-clients) must be more than 0"},
	{given{args: []string{"--limits-pipeline", "0"}}, "limits.pipeline '0' (--limits-pipeline) must be more than 0"},
	{given{args: []string{"--limits-output", "0"}}, "limits.output '0b' (--limits-output) must be more than 0"},
	{given{args: []string{"--limits-query-memory", "0"}}, "limits.query_memory '0b' (--limits-query-memory) must be more than 0"},
	{given{args: []string{"--limits-bulk", "0"}}, "limits.bulk '0b' (--limits-bulk) must be more than 0"},
	{given{args: []string{"--threads", "-1"}}, "threads '-1' (--threads) must be 0 or more"},
	{given{args: []string{"--gc-percent", "0"}}, "gc_percent '0' (--gc-percent) must be more than 0"},
	{given{args: []string{"--drain", "-1s"}}, "drain '-1s' (--drain) must be 0 or more"},
	{given{args: []string{"--log-level", "trace"}}, "log.level 'trace' (--log-level) is not one of debug, info, warn, error"},
	{given{args: []string{"--log-format", "jsn"}}, "log.format 'jsn' (--log-format) is not one of console, json; did you mean 'json'?"},
	{given{args: []string{"--deny-commands", "*"}}, "deny_commands '*' (--deny-commands) would forbid every command; name the ones to forbid"},
	{given{env: []string{"STEADIS_DENY_COMMANDS=get,*"}}, "deny_commands '*' (STEADIS_DENY_COMMANDS) would forbid every command"},
	{given{file: "allow_commands: ['']\n"}, "allow_commands (steadis.yaml, line 1) is not a command, or a command and a subcommand"},
	{given{file: "deny_commands: [' ']\n"}, "deny_commands ' ' (steadis.yaml, line 1) is not a command"},
	{given{file: "allow_commands: ['client|']\n"}, "is not a command"},
	{given{file: "allow_commands: ['|pause']\n"}, "is not a command"},
	{given{file: "allow_commands: ['client| |pause']\n"}, "is not a command"},
	{given{file: "allow_commands: ['a|b|c']\n"}, "is not a command"},
	{given{file: "allow_commands: ['a b|c']\n"}, "is not a command"},
	{given{file: "allow_commands: [config set save]\n"}, "allow_commands 'config set save' (steadis.yaml, line 1) is not a command"},
	{given{file: "allow_commands: ['debug,module']\n"}, "allow_commands 'debug,module' (steadis.yaml, line 1) has ',' in it"},
	{given{file: "allow_commands: [\"debug\\t\"]\n"}, "has '\\t' in it"},
	{given{file: "allow_commands: [débug]\n"}, "has 'é' in it"},
	{given{file: "allow_commands: [*]\n"}, "steadis.yaml is not valid YAML"},
	{given{file: "allow_commands: [{a: b}]\n"}, "has an entry that is not plain text; write each one in quotes"},
	{given{file: "allow_commands: {a: b}\n"}, "must be a list, such as [a, b]"},
	{given{args: []string{"--allow-commands", "debug,,module"}}, "has an empty entry (number 2)"},
	{given{args: []string{"--allow-commands", "ft.*"}}, "allow_commands 'ft.*' (--allow-commands) is a pattern"},
	{given{args: []string{"--deny-commands", "@dangerous"}}, "deny_commands '@dangerous' (--deny-commands) looks like a rule of Redis' ACLs"},
	{given{file: "deny_commands: [-get]\n"}, "looks like a rule of Redis' ACLs"},
	{given{args: []string{"--deny-commands", "+get"}}, "looks like a rule of Redis' ACLs"},
	{given{args: []string{"--deny-commands", strings.Repeat("x", 65)}}, "is longer than the 64 characters that a name may have"},
	{given{args: []string{"--master", "my master"}}, "master 'my master' (--master) has a blank or a control character in it"},
	{given{args: []string{"--upstream-user", "a b", "--upstream-password", "x"}}, "upstream.user 'a b' (--upstream-user) has a blank"},
	{given{args: []string{"--upstream-password", "(set)"}}, "upstream.password (--upstream-password) is '(set)', which `steadis config` prints"},
	{given{args: []string{"--upstream-password-file", "/nowhere"}}, "upstream.password_file '/nowhere' (--upstream-password-file) cannot be read"},
	{given{args: []string{"--upstream-password-file", "/dev/null"}}, "is an empty file; put the password in it, on one line"},
	{given{file: "#\nupstream:\n  password_file: $DIR/steadis.yaml\n"}, "has more than one line; put only the password in it"},
	// discovery
	{given{args: []string{"--discovery", "consul"}}, "discovery 'consul' (--discovery) is not one of sentinel, dns, static"},
	{given{args: []string{"--discovery", "dsn"}}, "did you mean 'dns'?"},
	{given{args: []string{"--address", "a:1"}}, "address 'a:1' (--address) is of no use with discovery 'sentinel'; set discovery: dns or static"},
	{given{args: []string{"--discovery", "static", "--address", "a"}}, "address 'a' (--address) has no port"},
	{given{args: []string{"--discovery", "static", "--address", "a:1,A:1"}}, "address 'A:1' (--address) stands twice in the list"},
	{given{args: []string{"--discovery", "static", "--address", "127.0.0.1:6379"}}, "address '127.0.0.1:6379' (--address) is steadis itself, which listens on '127.0.0.1:6379'"},
	{given{args: []string{"--discovery", "dns", "--address", "10.0.0.1:6379"}}, "address '10.0.0.1:6379' (--address) is no name, so there is nothing to resolve"},
	{given{args: []string{"--discovery", "dns", "--address", "a:1,b:1"}}, "address 'a:1,b:1' (--address) has more than one entry; give the one name that always leads to the master"},
	{given{args: []string{"--discovery", "dns", "--sentinel", "a:1"}}, "sentinel 'a:1' (--sentinel) needs Sentinels, and discovery is 'dns'"},
	{given{args: []string{"--discovery", "static", "--fence"}}, "fence 'true' (--fence) needs Sentinels"},
	{given{args: []string{"--discovery", "static", "--without-majority", "hold"}}, "without_majority 'hold' (--without-majority) needs Sentinels"},
	{given{args: []string{"--discovery", "static", "--address-map", "a:1=b:1"}}, "address_map (--address-map) needs Sentinels"},
	{given{args: []string{"--discovery", "static", "--sentinel-auth-password", "x"}}, "sentinel_auth.password (--sentinel-auth-password) needs Sentinels"},
	{given{args: []string{"--dns-servers", "10.0.0.2:53"}}, "dns.servers '10.0.0.2:53' (--dns-servers) is of no use with discovery 'sentinel'"},
	{given{args: []string{"--discovery", "dns", "--dns-servers", "10.0.0.2"}}, "dns.servers '10.0.0.2' (--dns-servers) has no port; write host:port, such as 10.0.0.2:53"},
	{given{args: []string{"--probe-poll", "1ms", "--probe-poll-holding", "10ms"}}, "probe.poll '1ms' (--probe-poll) must be at least 10ms"},
	{given{args: []string{"--probe-poll-holding", "2s"}}, "probe.poll_holding '2s' (--probe-poll-holding) is longer than probe.poll (1s)"},
	{given{args: []string{"--probe-timeout", "0"}}, "probe.timeout '0s' (--probe-timeout) must be more than 0"},
	{given{need: true, args: []string{"--discovery", "static"}}, "address is not set, which discovery 'static' needs; give it, for example --address 127.0.0.1:6380, or STEADIS_ADDRESS"},
	{given{need: true, env: []string{"STEADIS_DISCOVERY=dns"}}, "for example --address master.example.cache.amazonaws.com:6379"},
	// the read-only address
	{given{args: []string{"--listen-replicas", "127.0.0.1:6379"}}, "listen_replicas '127.0.0.1:6379' (--listen-replicas) takes the same place as '127.0.0.1:6379'"},
	{given{args: []string{"--listen-replicas", "6380"}}, "listen_replicas '6380' (--listen-replicas) has no port"},
	{given{args: []string{"--listen-replicas", ":9380"}}, "admin '127.0.0.1:9380' takes the same port as listen ':9380'"},
	{given{args: []string{"--listen-replicas", ":26379", "--sentinel", "127.0.0.1:26379"}}, "sentinel '127.0.0.1:26379' (--sentinel) is steadis itself, which listens on ':26379'"},
	{given{args: []string{"--replicas-fallback", "mater"}}, "replicas.fallback 'mater' (--replicas-fallback) is not one of none, master; did you mean 'master'?"},
	{given{args: []string{"--replicas-max-lag", "2s"}}, "replicas.max_lag '2s' (--replicas-max-lag) is not more than twice probe.poll (1s), and lag is not known any better"},
	{given{args: []string{"--listen-replicas", ":6380", "--durable-replicas", "1"}}, "listen_replicas ':6380' (--listen-replicas) shows what a replica has, confirmed or not"},
	// several masters
	{given{args: []string{"--masters", "a=:1", "--master", "m"}}, "master 'm' (--master) contradicts masters, where each has a name and addresses of its own; put it there, or remove masters"},
	{given{args: []string{"--masters", "a=:1"}, env: []string{"STEADIS_LISTEN=:2"}}, "listen ':2' (STEADIS_LISTEN) contradicts masters"},
	{given{args: []string{"--masters", "a=:1", "--listen-replicas", ":2"}}, "listen_replicas ':2' (--listen-replicas) contradicts masters"},
	{given{args: []string{"--masters", "a=:1,a=:2"}}, "masters 'a' (--masters) stands twice in the list; name each master once, with all its addresses"},
	{given{args: []string{"--masters", "a=:1,b=127.0.0.1:1"}}, "masters '127.0.0.1:1' (--masters) takes the same place as ':1'; remove one of the two"},
	{given{args: []string{"--masters", "a=:1 listen_replicas=:1"}}, "masters ':1' (--masters) takes the same place as ':1'"},
	{given{args: []string{"--masters", "a=:9380"}}, "admin '127.0.0.1:9380' takes the same port as listen ':9380'"},
	{given{args: []string{"--masters", "a=:26379", "--sentinel", "127.0.0.1:26379"}}, "sentinel '127.0.0.1:26379' (--sentinel) is steadis itself, which listens on ':26379'"},
	{given{args: []string{"--masters", "a=6379"}}, "masters '6379' (--masters) has no port"},
	{given{args: []string{"--masters", "a=tls://:1"}}, "tls.cert_file is not set, but listen has 'tls://:1'"},
	{given{args: []string{"--masters", "a=unix:/s", "--handover", "/s"}}, "handover '/s' (--handover) is where clients are listened for too"},
	{given{args: []string{"--masters", "a"}}, "masters 'a' (--masters) has the entry 'a', which is not a name and an address; write name=address, such as cache=127.0.0.1:6379"},
	{given{args: []string{"--masters", "=:1"}}, "has the entry '=:1', which is not a name and an address"},
	{given{args: []string{"--masters", "a=:1,,b=:2"}}, "has an empty entry (number 2)"},
	{given{args: []string{"--masters", "a="}}, "masters 'a' (--masters) has no address to listen on"},
	{given{args: []string{"--masters", "my a=:1"}}, "masters 'my a' (--masters) has a blank or a control character in it"},
	{given{args: []string{"--masters", "a=:1 hold=5"}}, "has for 'a' the hold '5', which has no unit; write 5s"},
	{given{args: []string{"--masters", "a=:1 hold=0s"}}, "has for 'a' the hold '0s', which must be more than 0; leave it out for that of all"},
	{given{args: []string{"--masters", "a=:1", "--discovery", "static"}}, "masters 'a' (--masters) needs Sentinels, which know several masters by name, and discovery is 'static'"},
	{given{args: []string{"--masters", "a=:1,b=:2 hold=5s", "--durable-replicas", "1"}}, "durable.timeout '10s' is not shorter than hold of b (5s)"},
	{given{args: []string{"--masters", "a=:1,b=:2 listen_replicas=:3", "--durable-replicas", "1"}}, "masters ':3' (--masters) shows what a replica has, confirmed or not"},
	{given{file: "masters: {a: b}\n"}, "masters (steadis.yaml, line 1) must be a list, with entries such as {name: cache,"},
	{given{file: "masters:\n  - a=:1\n"}, "masters (steadis.yaml, line 2) has an entry that is not a master; write for example {name: cache,"},
	{given{file: "masters:\n  - name: a\n    listne: [':1']\n"}, "masters (steadis.yaml, line 3) has an entry whose listne is not known; a master has a name, listen, listen_replicas and hold"},
	{given{file: "masters:\n  - {name: a, name: b, listen: ':1'}\n"}, "has an entry whose name stands twice; remove one"},
	{given{file: "masters:\n  - {name: a, listen: ':1', hold: }\n"}, "has an entry whose hold has no value"},
	{given{file: "masters:\n  - {name: a, listen: ':1', hold: soon}\n"}, "has an entry whose hold is not a duration"},
	{given{file: "masters:\n  - {name: a, listen: {b: c}}\n"}, "has an entry whose listen must be a list of texts"},
	{given{file: "masters:\n  - {name: [a], listen: ':1'}\n"}, "has an entry whose name must be a single value"},
	{given{file: "masters:\n  - {listen: ':1'}\n"}, "masters (steadis.yaml, line 1) has an entry without a name (number 1)"},
	// missing
	{given{need: true, args: []string{"--master", "m"}}, "sentinel is not set; name your Sentinels: --sentinel 10.0.0.1:26379,"},
	{given{need: true, args: []string{"--sentinel", "a:1"}}, "master is not set; give the name of your master in Sentinel's configuration: --master mymaster, or STEADIS_MASTER"},
}

func TestFaults(t *testing.T) {
	for _, test := range faultTests {
		_, got := load(t, test.given)
		if !strings.Contains(got, test.want) {
			t.Errorf("%+v:\ngot  %s\nwant %s", test.given, got, test.want)
		}
		if strings.Count(got, "\n") > 0 {
			t.Errorf("%+v: more than the one fault:\n%s", test.given, got)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, got := load(t, given{
		file: "hodl: 1s\nhold: 30\nin_doubt: never\nlimits:\n  bulk: much\n",
		env:  []string{"STEADIS_LISTEN=nowhere", "STEADIS_MASTR=m"},
		args: []string{"--upstream-dial-timeout", "40s", "--drain", "-1s"},
		need: true,
	})
	want := []string{
		"the configuration has 9 faults:",
		"unknown key 'hodl' in steadis.yaml, line 1; did you mean 'hold'?",
		"unknown variable 'STEADIS_MASTR'; did you mean 'STEADIS_MASTER'?",
		"hold '30' (steadis.yaml, line 2) has no unit",
		"limits.bulk 'much' (steadis.yaml, line 5) is not a size",
		"listen 'nowhere' (STEADIS_LISTEN) has no port",
		"in_doubt 'never' (steadis.yaml, line 3)",
		"drain '-1s' (--drain)",
		"sentinel is not set",
		"master is not set",
	}
	lines := strings.Split(got, "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %d lines, want %d:\n%s", len(lines), len(want), got)
	}
	for i, part := range want {
		if !strings.Contains(lines[i], part) {
			t.Errorf("line %d: got %q, want %q", i, lines[i], part)
		}
	}
}
