package config

import (
	_ "embed"
	"time"
)

// DefaultYAML is the commented file of all keys with their defaults.
//
//go:embed default.yaml
var DefaultYAML []byte

// Config is everything that steadis can be told. A value that Load returned
// without an error satisfies Validate. It is not changed after that, so it may be
// read concurrently.
//
// The key tags are the names in the file; default.yaml says what each one means
// for a user.
type Config struct {
	// Discovery is DiscoverySentinel, DiscoveryDNS or DiscoveryStatic.
	Discovery string `key:"discovery"`
	// Address lists where the master is looked for without Sentinels: one name:port with
	// DiscoveryDNS, nodes with DiscoveryStatic. May be empty unless Input.NeedDeployment
	// was set; is empty with DiscoverySentinel.
	Address []string `key:"address"`
	// DNS is about resolving Address.
	DNS DNS `key:"dns"`
	// Probe is how often nodes are asked what they are.
	Probe Probe `key:"probe"`
	// Sentinel lists the Sentinels' addresses, host:port, without duplicates.
	// May be empty unless Input.NeedDeployment was set.
	Sentinel []string `key:"sentinel"`
	// Master is the name that the Sentinels know the master by.
	// May be empty unless Input.NeedDeployment was set.
	Master string `key:"master"`
	// Masters are served instead of the one master, each with a name and addresses of its
	// own; see PerMaster. Then Master, Listen and ListenReplicas are empty.
	Masters []Master `key:"masters"`
	// Listen lists where clients are accepted: host:port (empty host: every
	// interface; port 0: a free one), tls://host:port or unix:/path. At least one, or Masters.
	Listen []string `key:"listen"`
	// UnixMode is the mode of Unix sockets in Listen, in octal. Empty: as the umask leaves it.
	UnixMode string `key:"unix_mode"`
	// TLS is about the addresses in Listen that begin with tls://.
	TLS ListenTLS `key:"tls"`
	// ProxyProtocol lists whose connections begin with a header of the PROXY protocol:
	// addresses, networks, ProxyProtocolUnix or ProxyProtocolAll.
	ProxyProtocol []string `key:"proxy_protocol"`
	// ListenReplicas lists where clients that only read are accepted, as Listen.
	ListenReplicas []string `key:"listen_replicas"`
	// Replicas says which replicas they read from.
	Replicas Replicas `key:"replicas"`
	// Admin is the admin HTTP server's host:port. Empty: no admin server.
	Admin string `key:"admin"`
	// AdminPprof serves profiles of the process on the admin server.
	AdminPprof bool `key:"admin_pprof"`
	// AdminToken is what who changes something over the admin server must show.
	// Empty: AdminTokenFile, or nobody may.
	AdminToken Secret `key:"admin_token"`
	// AdminTokenFile is the file that Load reads the token from.
	AdminTokenFile string `key:"admin_token_file"`
	// Hold is how long a command waits for a master, from its arrival. > 0.
	Hold time.Duration `key:"hold"`
	// HoldMaxCommands bounds the commands held at one time. > 0.
	HoldMaxCommands int `key:"hold_max_commands"`
	// HoldMaxBytes bounds the bytes of the commands held at one time. > 0.
	HoldMaxBytes Size `key:"hold_max_bytes"`
	// InDoubt is InDoubtClose, InDoubtError or InDoubtRetry.
	InDoubt string `key:"in_doubt"`
	// Fence pauses writes at a master that is being replaced.
	Fence bool `key:"fence"`
	// WithoutMajority is MinorityServe or MinorityHold.
	WithoutMajority string `key:"without_majority"`
	// Durable is about writes that are acknowledged only when replicas have them.
	Durable Durable `key:"durable"`
	// Auth is AuthPassthrough or AuthStatic: who judges clients' passwords.
	Auth string `key:"auth"`
	// Users are who clients may be, with AuthStatic. See RevealUsers.
	Users Users `key:"users"`
	// UsersFile is the file that Load reads them from instead.
	UsersFile string `key:"users_file"`
	// Protected keeps steadis from listening for other machines while clients need no
	// password to get the rights of Upstream's.
	Protected bool `key:"protected"`
	// SentinelAuth authenticates steadis to every Sentinel.
	SentinelAuth Auth `key:"sentinel_auth"`
	// SentinelTLS is about the connections to the Sentinels.
	SentinelTLS DialTLS `key:"sentinel_tls"`
	// SentinelTimeout bounds one Sentinel's answer or dial. > 0.
	SentinelTimeout time.Duration `key:"sentinel_timeout"`
	// SentinelPoll is the time between two questions to a Sentinel. > 0.
	SentinelPoll time.Duration `key:"sentinel_poll"`
	// SentinelPollHolding is the same while commands are held. > 0, <= SentinelPoll.
	SentinelPollHolding time.Duration `key:"sentinel_poll_holding"`
	// Upstream is about the connections to the master.
	Upstream Upstream `key:"upstream"`
	// UpstreamTLS is about all connections to Redis nodes.
	UpstreamTLS DialTLS `key:"upstream_tls"`
	// AddressMap replaces addresses that Sentinel gives, host:port -> host:port.
	AddressMap map[string]string `key:"address_map"`
	// AllowCommands lists commands that pass although steadis refuses them, such as
	// "debug" or "client|pause", in any letter case; "*" stands for all. Whether there is
	// such a command, package proxy/command decides.
	AllowCommands []string `key:"allow_commands"`
	// DenyCommands lists commands that are refused; it beats AllowCommands.
	DenyCommands []string `key:"deny_commands"`
	// Limits bounds what clients may use up.
	Limits Limits `key:"limits"`
	// Drain bounds how long a shutdown waits for replies still due. >= 0.
	Drain time.Duration `key:"drain"`
	// Handover is the path of the Unix socket at which a new process takes over. Empty: none.
	Handover string `key:"handover"`
	// Threads is how many run at one time. >= 0; 0 means half of the processors.
	Threads int `key:"threads"`
	// GCPercent is Go's GOGC. > 0.
	GCPercent int `key:"gc_percent"`
	// Log is about the log on standard error.
	Log Log `key:"log"`

	tokenFromFile Secret // what Load read from AdminTokenFile
	usersFromFile Users  // and from UsersFile
}

// RevealAdminToken gives the token that must be shown; empty means that nobody may change
// anything over the admin server.
func (c *Config) RevealAdminToken() string {
	if c.AdminTokenFile != "" {
		return c.tokenFromFile.Reveal()
	}
	return c.AdminToken.Reveal()
}

// The values of Config.InDoubt: what becomes of a write that was sent and lost its reply.
const (
	InDoubtClose = "close" // the client's connection is closed
	InDoubtError = "error" // the client gets -INDOUBT and keeps its connection
	InDoubtRetry = "retry" // the write is sent again: at least once
)

// The values of Config.Auth: who judges clients' passwords.
const (
	AuthPassthrough = "passthrough" // the master
	AuthStatic      = "static"      // steadis, by Config.Users
)

// The values of Config.WithoutMajority: what to do while most Sentinels cannot be asked.
const (
	MinorityServe = "serve" // go on with the last known master
	MinorityHold  = "hold"  // hold commands
)

// The values of Durable.Reads: which values a read may show in durable mode.
const (
	ReadsConfirmed = "confirmed" // those that replicas have
	ReadsAny       = "any"       // the master's, even if no replica has them yet
)

// The values of Durable.EmptiedMaster: what to do with a master that has restarted without its data.
const (
	EmptiedReplace = "replace" // stop it, and have Sentinel make a replica the master
	EmptiedServe   = "serve"   // go on with it
)

// The values of Log.Format.
const (
	LogConsole = "console" // for people
	LogJSON    = "json"    // one JSON object a line
)

// Durable says how many replicas must have a write before it is acknowledged.
type Durable struct {
	// Replicas must have a write before it is acknowledged. >= 0; 0 asks none.
	Replicas int `key:"replicas"`
	// Timeout is how long they are waited for. >= 1ms, < Config.Hold.
	Timeout time.Duration `key:"timeout"`
	// Reads is ReadsConfirmed or ReadsAny.
	Reads string `key:"reads"`
	// EmptiedMaster is EmptiedReplace or EmptiedServe.
	EmptiedMaster string `key:"emptied_master"`
}

// Auth is a user and a password towards a server of Redis' protocol.
type Auth struct {
	// User is the ACL user. Empty: the default user.
	User string `key:"user"`
	// Password is the password as configured. Empty: none, or PasswordFile.
	Password Secret `key:"password"`
	// PasswordFile is the file that Load reads the password from.
	PasswordFile string `key:"password_file"`

	fromFile Secret // what Load read from PasswordFile
}

// Reveal gives the password to send: Password, or what PasswordFile had in it
// when the configuration was loaded. Empty means that there is none.
func (a Auth) Reveal() string {
	if a.PasswordFile != "" {
		return a.fromFile.Reveal()
	}
	return a.Password.Reveal()
}

// Upstream is about the connections to the master.
type Upstream struct {
	// Auth is for steadis' own questions (ROLE, PING), and with AuthStatic for clients'
	// commands.
	Auth
	// Connections is how many shared connections there are for each user,
	// database and protocol. > 0.
	Connections int `key:"connections"`
	// Dials is how many connections of a client's own may be dialled at one time. > 0.
	Dials int `key:"dials"`
	// DialRate is how many of them may be dialled in a second. >= 0; 0 means no bound.
	DialRate int `key:"dial_rate"`
	// DialTimeout bounds one dial, TCP and AUTH together. > 0, < Config.Hold.
	DialTimeout time.Duration `key:"dial_timeout"`
	// Heartbeat is how long a connection may owe a reply before it is questioned. > 0.
	Heartbeat time.Duration `key:"heartbeat"`
}

// Limits bounds what clients may use up. All > 0, but for those that say so.
type Limits struct {
	// Clients is how many clients may be connected at one time.
	Clients int `key:"clients"`
	// Pipeline is how many commands of one client may be under way.
	Pipeline int `key:"pipeline"`
	// Output is how many bytes of replies a client may leave unread.
	Output Size `key:"output"`
	// PubSubOutput is the same for a client that has subscribed.
	PubSubOutput Size `key:"pubsub_output"`
	// PubSubOutputSoft is how many it may leave unread for PubSubSoftTime. <= PubSubOutput.
	PubSubOutputSoft Size `key:"pubsub_output_soft"`
	// PubSubSoftTime is that time. >= 0.
	PubSubSoftTime time.Duration `key:"pubsub_soft_time"`
	// Memory is how many bytes all clients may have in unread replies and commands under way.
	Memory Size `key:"memory"`
	// QueryMemory is how many bytes of unfinished commands all clients may have.
	QueryMemory Size `key:"query_memory"`
	// Bulk is the largest argument of a command, in bytes.
	Bulk Size `key:"bulk"`
	// Idle is how long a client may send nothing. >= 0; 0 means for ever.
	Idle time.Duration `key:"idle"`
	// Keepalive is the silence after which TCP probes a client. >= 0; 0 means never.
	Keepalive time.Duration `key:"keepalive"`
}

// Log is about the log on standard error.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `key:"level"`
	// Format is LogConsole or LogJSON.
	Format string `key:"format"`
}
