package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// given is one configuration as a user would give it.
type given struct {
	file string
	env  []string
	args []string
	need bool
	// choose is Input.Choose.
	choose bool
}

// load loads g with its file named steadis.yaml in a directory of its own, and
// takes that directory out of the error's text.
func load(t testing.TB, g given) (*Loaded, string) {
	t.Helper()
	dir := t.TempDir()
	in := Input{Environ: g.env, NeedDeployment: g.need, Choose: g.choose, Flags: pflag.NewFlagSet("test", pflag.ContinueOnError)}
	if g.file != "" {
		in.File = filepath.Join(dir, "steadis.yaml")
		if err := os.WriteFile(in.File, []byte(strings.ReplaceAll(g.file, "$DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	AddFlags(in.Flags)
	if err := in.Flags.Parse(g.args); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(in)
	if err == nil {
		return loaded, ""
	}
	var faults Faults
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("the error is no Faults: %#v", err)
	}
	return nil, strings.ReplaceAll(err.Error(), dir+"/", "")
}

func mustLoad(t testing.TB, g given) *Loaded {
	t.Helper()
	loaded, text := load(t, g)
	if text != "" {
		t.Fatal(text)
	}
	return loaded
}

func TestDefaultFileMatchesConfig(t *testing.T) {
	fields := map[string]reflect.StructField{}
	collectFields(reflect.TypeFor[Config](), "", nil, fields)
	for path, field := range fields {
		if knownKeys().byPath[path] == nil {
			t.Errorf("Config has %s, default.yaml does not", path)
		}
		if kindOfType[field.Type] == "" {
			t.Errorf("%s has the type %v, which cannot be decoded", path, field.Type)
		}
	}
	flags := map[string]string{}
	for _, k := range Keys() {
		if k.Help == "" || len(k.Help) > 100 {
			t.Errorf("%s: its help is %d characters long: %q", k.Path, len(k.Help), k.Help)
		}
		if other := flags[k.Flag]; other != "" {
			t.Errorf("%s and %s are the same flag", k.Path, other)
		}
		flags[k.Flag] = k.Path
	}
	// That default.yaml has no key beyond Config's is Load's strictness.
	loaded := mustLoad(t, given{})
	if len(loaded.Origins) != 0 {
		t.Errorf("defaults have origins: %v", loaded.Origins)
	}
	if warnings := loaded.Warnings(); len(warnings) != 0 {
		t.Errorf("the defaults give warnings: %q", warnings)
	}
}

func TestDefaults(t *testing.T) {
	want := Config{
		Discovery: DiscoverySentinel, Address: []string{}, DNS: DNS{Servers: []string{}},
		Probe:          Probe{Poll: time.Second, PollHolding: 100 * time.Millisecond, Timeout: 500 * time.Millisecond},
		ListenReplicas: []string{}, Replicas: Replicas{MaxLag: 10 * time.Second, Fallback: FallbackNone},
		Sentinel: []string{}, Masters: []Master{}, Listen: []string{"127.0.0.1:6379"}, Admin: "127.0.0.1:9380",
		Hold: 30 * time.Second, HoldMaxCommands: 100000, HoldMaxBytes: 256 << 20, InDoubt: InDoubtClose,
		WithoutMajority: MinorityServe, Durable: Durable{Timeout: 10 * time.Second, Reads: ReadsConfirmed, EmptiedMaster: EmptiedReplace},
		TLS: ListenTLS{ClientAuth: ClientAuthRequired, MinVersion: TLS12}, ProxyProtocol: []string{},
		SentinelTLS: DialTLS{MinVersion: TLS12}, UpstreamTLS: DialTLS{MinVersion: TLS12},
		SentinelTimeout: 500 * time.Millisecond, SentinelPoll: time.Second, SentinelPollHolding: 100 * time.Millisecond,
		Upstream: Upstream{Connections: 2, Dials: 32, DialRate: 5000, DialTimeout: time.Second, Heartbeat: time.Second},
		Auth:     AuthPassthrough, Users: Users{}, Protected: true,
		AddressMap: map[string]string{}, AllowCommands: []string{}, DenyCommands: []string{},
		Limits: Limits{Clients: 10000, Pipeline: 10000, Output: 64 << 20, QueryMemory: 256 << 20, Bulk: 512 << 20, Keepalive: 300 * time.Second,
			PubSubOutput: 32 << 20, PubSubOutputSoft: 8 << 20, PubSubSoftTime: time.Minute, Memory: 1 << 30},
		Drain: 10 * time.Second, GCPercent: 200, Log: Log{Level: "info", Format: LogConsole},
	}
	if got := mustLoad(t, given{}).Config; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestEveryKeyInEveryLayer gives every key a value of its own in the file, the
// environment and a flag, and looks which one comes out.
func TestEveryKeyInEveryLayer(t *testing.T) {
	values := map[string][3]string{ // file, variable, flag
		"discovery": {"dns", "sentinel", "static"}, "address": {"f:1", "e:1", "a:1"}, "dns.servers": {"f:1", "e:1", "a:1"},
		"listen_replicas": {"f:1", "e:1", "a:1"}, "replicas.max_lag": {"3s", "4s", "5s"}, "replicas.fallback": {"master", "none", "master"},
		"sentinel": {"f:1", "e:1", "a:1"}, "master": {"f", "e", "a"}, "listen": {"f:1", "e:1", "a:1"},
		"admin": {"127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4"}, "in_doubt": {"error", "retry", "error"},
		"fence": {"true", "true", "true"}, "admin_pprof": {"true", "true", "true"}, "without_majority": {"hold", "serve", "hold"},
		"handover": {"/f", "/e", "/a"}, "durable.timeout": {"2s", "3s", "4s"}, "durable.reads": {"any", "confirmed", "any"}, "durable.emptied_master": {"serve", "replace", "serve"}, "hold": {"5s", "6s", "7s"}, "address_map": {"f:1=f:2", "e:1=e:2", "a:1=a:2"},
		"unix_mode": {"0700", "0770", "777"}, "tls.client_auth": {"optional", "required", "optional"}, "tls.min_version": {"1.3", "1.2", "1.3"},
		"masters":              {"f=:1", "e=:2", "a=:3 :4 hold=4s listen_replicas=:5"},
		"proxy_protocol":       {"10.0.0.1", "10.0.0.0/8", "unix,*"},
		"sentinel_tls.enabled": {"true", "true", "true"}, "sentinel_tls.min_version": {"1.3", "1.2", "1.3"},
		"upstream_tls.enabled": {"true", "true", "true"}, "upstream_tls.min_version": {"1.3", "1.2", "1.3"},
		"auth": {"static", "passthrough", "static"}, "protected": {"false", "false", "true"},
		"users":                     {"f=#" + strings.Repeat("1", 64), "e=#" + strings.Repeat("2", 64), "a=nopass"},
		"limits.pubsub_output_soft": {"1kb", "2kb", "3kb"}, "limits.pubsub_output": {"9mb", "10mb", "11mb"},
		"limits.keepalive": {"2s", "3s", "4s"},
		"allow_commands":   {"f", "*", "a|b"}, "deny_commands": {"f", "e", "a b"},
		"log.level": {"warn", "error", "debug"}, "log.format": {"json", "console", "json"},
	}
	byKind := map[kind][3]string{
		kindInt: {"11", "12", "13"}, kindSize: {"11kb", "12kb", "13kb"}, kindDuration: {"600ms", "700ms", "800ms"},
		kindText: {"f", "e", "a"}, kindSecret: {"f", "e", "a"},
	}
	for _, k := range Keys() {
		if strings.HasSuffix(k.Path, "_file") {
			continue // needs files: TestPasswordFile
		}
		value, found := values[k.Path]
		if !found {
			value = byKind[k.kind]
		}
		g := given{file: nested(k.Path, value[0])}
		if strings.HasSuffix(k.Path, ".user") { // a user needs a password
			g.env = append(g.env, knownKeys().byPath[strings.TrimSuffix(k.Path, "user")+"password"].Env+"=x")
		}
		if k.Path == "users" {
			g.env = append(g.env, "STEADIS_AUTH=static")
		}
		if k.Path == "address" || k.Path == "dns.servers" {
			g.env = append(g.env, "STEADIS_DISCOVERY=dns")
		}
		if k.Path == "sentinel_poll_holding" {
			g.env = append(g.env, "STEADIS_SENTINEL_POLL=2s")
		}
		layers := []struct {
			origin string
			add    func()
		}{
			{"steadis.yaml, line", func() {}},
			{k.Env, func() { g.env = append(g.env, k.Env+"="+value[1]) }},
			{"--" + k.Flag, func() { g.args = append(g.args, "--"+k.Flag, value[2]) }},
		}
		for i, layer := range layers {
			layer.add()
			loaded := mustLoad(t, g)
			want, err := k.decode(value[i])
			if err != nil {
				t.Fatalf("%s: %v", k.Path, err)
			}
			if got := reflect.ValueOf(loaded.Config).FieldByIndex(k.index).Interface(); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: got %#v, want %#v", k.Path, layer.origin, got, want)
			}
			if got := loaded.Origins[k.Path]; !strings.Contains(got, layer.origin) {
				t.Errorf("%s: the origin is %q, want %q", k.Path, got, layer.origin)
			}
		}
	}
}

func nested(path, value string) string {
	if section, name, found := strings.Cut(path, "."); found {
		return section + ":\n  " + name + ": \"" + value + "\"\n"
	}
	return path + ": \"" + value + "\"\n"
}

func TestWhatIsUnderstood(t *testing.T) {
	tests := []struct {
		name  string
		given given
		got   func(*Loaded) any
		want  any
	}{
		{"a YAML list", given{file: "sentinel:\n  - 10.0.0.1:26379\n  - sentinel-b:26379\n"}, func(l *Loaded) any { return l.Sentinel }, []string{"10.0.0.1:26379", "sentinel-b:26379"}},
		{"a list as text", given{file: "sentinel: a:1, b:2\n"}, func(l *Loaded) any { return l.Sentinel }, []string{"a:1", "b:2"}},
		{"a flag given twice", given{args: []string{"--sentinel", "a:1", "--sentinel", "b:2,c:3"}}, func(l *Loaded) any { return l.Sentinel }, []string{"a:1", "b:2", "c:3"}},
		{"the last of two flags", given{args: []string{"--hold", "5s", "--hold", "6s"}}, func(l *Loaded) any { return l.Hold }, 6 * time.Second},
		{"a mapping", given{file: "address_map:\n  \"172.18.0.2:6379\": 127.0.0.1:7001\n"}, func(l *Loaded) any { return l.AddressMap }, map[string]string{"172.18.0.2:6379": "127.0.0.1:7001"}},
		{"a mapping is replaced, not merged", given{file: "address_map: {\"a:1\": \"b:1\"}\n", env: []string{"STEADIS_ADDRESS_MAP=c:1=d:1"}}, func(l *Loaded) any { return l.AddressMap }, map[string]string{"c:1": "d:1"}},
		{"no refusals", given{args: []string{"--allow-commands", "*"}}, func(l *Loaded) any { return l.AllowCommands }, []string{"*"}},
		{"no refusals, in YAML", given{file: "allow_commands: ['*']\n"}, func(l *Loaded) any { return l.AllowCommands }, []string{"*"}},
		{"commands as text", given{env: []string{"STEADIS_ALLOW_COMMANDS=DEBUG, client|pause ,Config Set,ft._list,module|load"}}, func(l *Loaded) any { return l.AllowCommands },
			[]string{"DEBUG", "client|pause", "Config Set", "ft._list", "module|load"}},
		{"no commands denied after all", given{file: "deny_commands: [keys]\n", env: []string{"STEADIS_DENY_COMMANDS="}}, func(l *Loaded) any { return l.DenyCommands }, []string{}},
		{"a hidden command and one of a module", given{file: "deny_commands: [\n  b840fc02d524045429941cc15f59e41cb7be6c52, search.clusterset, 'client | no-evict']\n"}, func(l *Loaded) any { return len(l.DenyCommands) }, 3},
		{"IPv6", given{args: []string{"--sentinel", "[::1]:26379,[2001:db8::1]:26379"}}, func(l *Loaded) any { return len(l.Sentinel) }, 2},
		{"IPv6 with a zone", given{args: []string{"--sentinel", "[fe80::1%eth0]:26379"}}, func(l *Loaded) any { return len(l.Sentinel) }, 1},
		{"a Unix socket", given{args: []string{"--listen", "unix:/run/steadis.sock,127.0.0.1:0,127.0.0.1:0"}}, func(l *Loaded) any { return len(l.Listen) }, 3},
		{"every interface", given{args: []string{"--listen", ":6379"}}, func(l *Loaded) any { return l.Listen[0] }, ":6379"},
		{"no admin server", given{env: []string{"STEADIS_ADMIN="}}, func(l *Loaded) any { return l.Admin }, ""},
		{"a password with leading zeros", given{file: "upstream:\n  password: 0012\n"}, func(l *Loaded) any { return l.Upstream.Reveal() }, "0012"},
		{"a password of hex", given{file: "upstream: {password: 0x10}\n"}, func(l *Loaded) any { return l.Upstream.Reveal() }, "0x10"},
		{"a password with a comma", given{env: []string{"STEADIS_UPSTREAM_PASSWORD=a,b = c"}}, func(l *Loaded) any { return l.Upstream.Reveal() }, "a,b = c"},
		{"a master called yes", given{file: "master: yes\n"}, func(l *Loaded) any { return l.Master }, "yes"},
		{"a section of comments", given{file: "limits:\n  # clients: 5\nmaster: m\n"}, func(l *Loaded) any { return l.Limits.Clients }, 10000},
		{"a file of comments", given{file: "# nothing\n"}, func(l *Loaded) any { return l.Limits.Clients }, 10000},
		{"a dotted key", given{file: "limits.clients: 5\n"}, func(l *Loaded) any { return l.Limits.Clients }, 5},
		{"hold: 1s alone", given{args: []string{"--hold", "1s"}}, func(l *Loaded) any { return l.Hold }, time.Second},
		{"no drain", given{args: []string{"--drain", "0"}}, func(l *Loaded) any { return l.Drain }, time.Duration(0)},
		{"foreign variables", given{env: []string{"PATH=/bin", "STEADISX=1", "steadis_hold=x"}}, func(l *Loaded) any { return len(l.Origins) }, 0},
		{"Kubernetes' service links", given{env: []string{
			"STEADIS_SERVICE_HOST=10.0.0.1", "STEADIS_SERVICE_PORT=6379", "STEADIS_SERVICE_PORT_REDIS=6379", "STEADIS_PORT=tcp://10.0.0.1:6379",
			"STEADIS_PORT_6379_TCP=tcp://10.0.0.1:6379", "STEADIS_PORT_6379_TCP_PROTO=tcp", "STEADIS_PORT_6379_TCP_PORT=6379", "STEADIS_PORT_6379_TCP_ADDR=10.0.0.1",
			"STEADIS_ADMIN_SERVICE_HOST=10.0.0.2", "STEADIS_ADMIN_PORT=tcp://10.0.0.2:9380", "STEADIS_ADMIN_PORT_9380_TCP=tcp://10.0.0.2:9380",
		}}, func(l *Loaded) any { return len(l.Origins) }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.got(mustLoad(t, test.given)); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
		})
	}
}

func TestFileVariable(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.yaml"), filepath.Join(dir, "two.yaml")
	for name, text := range map[string]string{one: "master: one\n", two: "master: two\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := []string{FileVariable + "=" + one}
	for file, want := range map[string]string{"": "one", two: "two"} {
		loaded, err := Load(Input{File: file, Environ: environ})
		if err != nil || loaded.Master != want {
			t.Errorf("file %q: got %v, %v, want the master %s", file, loaded, err, want)
		}
	}
}

func TestPasswordFile(t *testing.T) {
	for text, want := range map[string]string{"secret\n": "secret", "secret": "secret", "secret\r\n": "secret", " a b \n": " a b "} {
		name := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		loaded := mustLoad(t, given{args: []string{"--upstream-password-file", name, "--sentinel-auth-password-file", name}})
		if got := loaded.Upstream.Reveal(); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		if got := loaded.SentinelAuth.Reveal(); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct{ args, want string }{
		{"--sentinel a:1", "only one Sentinel is named"},
		{"--sentinel a:1,b:1", "2 Sentinels are named, whose majority is 2: no more of them may fail than of 1; name an odd number"},
		{"--sentinel a:1,b:1,c:1,d:1", "4 Sentinels are named, whose majority is 3"},
		{"--hold 2s", "hold is 2s: a failover takes"},
		{"--hold 1s", "upstream.dial_timeout is not shorter than hold (1s)"},
		{"--sentinel-timeout 30s", "sentinel_timeout is not shorter than hold (30s)"},
		{"--hold 5s --upstream-heartbeat 6s", "upstream.heartbeat is not shorter than hold (5s)"},
		{"--in-doubt retry", "may run twice"},
		{"--admin :9380", "admin is :9380, which other machines can reach"},
		{"--address-map a:1=a:1", "address_map maps a:1 to itself"},
		{"--upstream-password x", "--upstream-password stands in the process list"},
	}
	for _, test := range tests {
		loaded := mustLoad(t, given{args: strings.Fields(test.args)})
		if got := strings.Join(loaded.Warnings(), "\n"); !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.args, got, test.want)
		}
	}
	if got := mustLoad(t, given{args: strings.Fields("--sentinel a:1,b:1,c:1 --master m --admin localhost:1")}).Warnings(); len(got) != 0 {
		t.Errorf("a good configuration gives warnings: %q", got)
	}
}
