package topology

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"time"
)

// Options describes a deployment. The zero value is a master, two replicas and
// three Sentinels that call it "mymaster".
type Options struct {
	// Name is what Sentinel calls the master; default "mymaster".
	Name string
	// Replicas is the number of replicas; 0 means 2, a negative number none.
	Replicas int
	// Sentinels is their number; 0 means 3, a negative number none. The quorum
	// is a majority of them.
	Sentinels int
	// DownAfter is Sentinel's down-after-milliseconds; default 1 s.
	DownAfter time.Duration
	// FailoverTimeout is Sentinel's failover-timeout; default 10 s.
	FailoverTimeout time.Duration
	// Password is what the Redis nodes ask for; empty for none.
	Password string
	// SentinelPassword is what the Sentinels ask for; empty for none.
	SentinelPassword string
	// Dir is where the private directories go; empty for a new temporary
	// directory. Close removes what Start made.
	Dir string
	// NodeConfig are lines added to the configuration of every Redis node.
	NodeConfig []string
	// MasterConfig are lines added to the first master's configuration only.
	MasterConfig []string
	// Debug lets DEBUG through from this machine, as a drill wants it. A Redis before
	// 7.0 knows no setting for that and lets it through anyway.
	Debug bool
	// SentinelConfig are lines added to the configuration of every Sentinel.
	SentinelConfig []string
	// TLS has every process speak TLS, and nothing else; nil: none does.
	TLS *TLS
	// Relays puts a Relay before every Redis node and announces its address, so
	// that replication, Sentinel and clients can be cut off together.
	Relays bool
	// Network gives every process a Host of its own there; nil runs them all on
	// loopback. Close leaves the network alone.
	Network *Network
}

// ErrNoRedis says that this machine has no redis-server.
var ErrNoRedis = fmt.Errorf("redis-server is not installed: run test/setup.sh, or install the package redis-server")

func (o Options) withDefaults() (Options, error) {
	if o.Name == "" {
		o.Name = "mymaster"
	}
	o.Replicas = orDefault(o.Replicas, 2)
	o.Sentinels = orDefault(o.Sentinels, 3)
	if o.DownAfter == 0 {
		o.DownAfter = time.Second
	}
	if o.FailoverTimeout == 0 {
		o.FailoverTimeout = 10 * time.Second
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		return o, ErrNoRedis
	}
	if o.Debug {
		guarded, err := guardsDebug()
		if err != nil {
			return o, err
		}
		if guarded {
			o.NodeConfig = append(slices.Clone(o.NodeConfig), "enable-debug-command local")
		}
	}
	dir, err := os.MkdirTemp(o.Dir, "steadis-topology-")
	if err != nil {
		return o, fmt.Errorf("private directory of the deployment: %w", err)
	}
	o.Dir = dir
	return o, nil
}

// redisVersion finds the major version in what redis-server --version prints.
var redisVersion = regexp.MustCompile(`\bv=(\d+)\.`)

// guardsDebug says whether the installed redis-server refuses DEBUG unless it is
// told otherwise: from 7.0 on.
func guardsDebug() (bool, error) {
	out, err := exec.Command("redis-server", "--version").Output()
	if err != nil {
		return false, fmt.Errorf("redis-server --version: %w", err)
	}
	found := redisVersion.FindSubmatch(out)
	if found == nil {
		return false, fmt.Errorf("redis-server --version says %q, which has no version in it", out)
	}
	return len(found[1]) > 1 || found[1][0] >= '7', nil
}

func orDefault(n, byDefault int) int {
	switch {
	case n == 0:
		return byDefault
	case n < 0:
		return 0
	}
	return n
}
