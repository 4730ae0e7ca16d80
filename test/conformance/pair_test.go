package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// pair is the two servers that are compared. Its methods are for one goroutine.
type pair struct {
	direct, behind *topology.Deployment
	steadis        *topology.Steadis // nil if the second server is asked directly as well
	front          string            // where the second side is asked

	// One connection to each server itself: for resets and for looking at clients.
	plain, hidden *wire.Conn
	// One connection to the second side as clients have it.
	through *wire.Conn

	patience time.Duration // how long steadis has for a reply that must come
}

// patience is how long a reply may take that must come. A difference that is a
// silence costs as much.
const patience = 3 * time.Second

// serverConfig is for both servers. What would make one of them slow at random
// (snapshots) is off; what commands of the tables need is on.
var serverConfig = []string{
	"enable-debug-command local",
	"enable-module-command local",
	"enable-protected-configs local",
	"latency-tracking no",
	"hz 200", // a blocked client's timeout is noticed at the next tick
	"proto-max-bulk-len 512mb",
	"client-output-buffer-limit pubsub 0 0 0",
}

// startPair starts both servers, a Sentinel that watches both, and steadis in
// front of the second; with binary "" there is no steadis, and the second server
// is asked directly as well.
func startPair(ctx context.Context, binary string) (*pair, error) {
	p := &pair{patience: patience}
	if err := p.start(ctx, binary); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *pair) start(ctx context.Context, binary string) (err error) {
	p.direct, err = topology.Start(ctx, topology.Options{Sentinels: -1, Replicas: -1, NodeConfig: serverConfig})
	if err != nil {
		return err
	}
	host, port, _ := strings.Cut(p.direct.Nodes[0].Addr(), ":")
	p.behind, err = topology.Start(ctx, topology.Options{Sentinels: 1, Replicas: -1, NodeConfig: serverConfig,
		DownAfter: time.Minute, // a server may be busy with a large value
		SentinelConfig: []string{
			fmt.Sprintf("sentinel monitor direct %s %s 1", host, port),
			"sentinel down-after-milliseconds direct 60000",
		}})
	if err != nil {
		return err
	}
	p.front = p.behind.Nodes[0].Addr()
	if binary != "" {
		p.steadis, err = topology.RunSteadis(ctx, topology.SteadisOptions{Binary: binary, Dir: p.behind.Dir(),
			Args: []string{"--sentinel", p.behind.SentinelAddrs(), "--master", p.behind.Name(),
				// Limits are a promise of steadis' own; these tests are about bytes.
				"--limits-output", "1gb", "--limits-query-memory", "1gb"}})
		if err != nil {
			return err
		}
		p.front = p.steadis.Addr
	}
	if p.plain, err = p.direct.Nodes[0].Dial(ctx); err != nil {
		return err
	}
	if p.hidden, err = p.behind.Nodes[0].Dial(ctx); err != nil {
		return err
	}
	p.through, err = wire.Dial(ctx, p.front)
	return err
}

func (p *pair) close() error {
	var all error
	for _, c := range []*wire.Conn{p.plain, p.hidden, p.through} {
		if c != nil {
			all = errors.Join(all, c.Close())
		}
	}
	if p.steadis != nil {
		all = errors.Join(all, p.steadis.Stop())
	}
	for _, d := range []*topology.Deployment{p.behind, p.direct} {
		if d != nil {
			all = errors.Join(all, d.Close())
		}
	}
	return all
}

// fixture are the keys that every case finds. Sets whose order Redis keeps (of
// integers, of one element) are preferred: the order of others depends on a seed
// that each server draws for itself.
var fixture = []string{
	`SET str hello`,
	`SET num 10`,
	`SET float 1.5`,
	`SET bin "\x00\xff\r\n"`,
	`SET mortal x EXAT 33177117420`,
	`RPUSH list a b c b a`,
	`SADD ints 1 2 3 4 5`,
	`SADD ints2 4 5 6`,
	`SADD words a b c`,
	`SADD word a`,
	`ZADD zset 1 a 2 b 3 c`,
	`ZADD zset2 10 b 20 c 30 d`,
	`ZADD lex 0 a 0 b 0 c 0 d`,
	`HSET hash f v g w n 10`,
	`XADD stream 1-1 a 1`,
	`XADD stream 2-1 b 2 c 3`,
	`XADD stream 3-1 d 4`,
	`XGROUP CREATE stream group 0`,
	`XREADGROUP GROUP group alice COUNT 2 STREAMS stream >`,
	`GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania`,
	`PFADD hll a b c`,
	`SETBIT bits 7 1`,
}

var resetCommands = append(append([]string{}, `FLUSHALL ASYNC`, `FUNCTION FLUSH`), fixture...)

// reset brings both servers' data to where every case finds it. Scripts are
// flushed as a client would: steadis keeps them to load them on another master.
func (p *pair) reset() error {
	for _, c := range []*wire.Conn{p.plain, p.through} {
		if _, err := do(c, "SCRIPT", "FLUSH"); err != nil {
			return fmt.Errorf("reset: SCRIPT FLUSH: %w", err)
		}
	}
	for _, c := range []*wire.Conn{p.plain, p.hidden} {
		for _, text := range resetCommands {
			c.Append(mustWords(text)...)
		}
		if err := c.Flush(); err != nil {
			return fmt.Errorf("reset: %w", err)
		}
	}
	for _, c := range []*wire.Conn{p.plain, p.hidden} {
		for _, text := range resetCommands {
			if reply, err := c.Receive(); err != nil {
				return fmt.Errorf("reset: %w", err)
			} else if e, bad := reply.(wire.Error); bad {
				return fmt.Errorf("reset: %s: %w", text, e)
			}
		}
	}
	return nil
}

// putBack undoes what cases change and no FLUSHALL puts back.
func (p *pair) putBack() error {
	for _, c := range []*wire.Conn{p.plain, p.hidden} {
		for _, text := range []string{
			`CONFIG SET slowlog-log-slower-than 10000 maxmemory 0 requirepass "" notify-keyspace-events ""`,
			`ACL DELUSER conf`, `ACL LOG RESET`, `SLOWLOG RESET`,
		} {
			if _, err := do(c, mustWords(text)...); err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
		}
	}
	return nil
}

// tidy brings the servers back to rest after a case.
func (p *pair) tidy(tc testCase) error {
	if tc.flags["config"] {
		if err := p.putBack(); err != nil {
			return err
		}
	}
	for _, c := range []*wire.Conn{p.plain, p.hidden} {
		for busy := tc.flags["background"]; busy; {
			info, err := do(c, "INFO", "persistence")
			if err != nil {
				return err
			}
			busy = infoField(info, "rdb_bgsave_in_progress") != "0" || infoField(info, "aof_rewrite_in_progress") != "0" ||
				infoField(info, "aof_rewrite_scheduled") != "0"
		}
	}
	return nil
}

// digests are fingerprints of both servers' data (DEBUG DIGEST).
func (p *pair) digests() (direct, behind string, err error) {
	a, err := do(p.plain, "DEBUG", "DIGEST")
	if err != nil {
		return "", "", err
	}
	b, err := do(p.hidden, "DEBUG", "DIGEST")
	return fmt.Sprint(a), fmt.Sprint(b), err
}

func do(c *wire.Conn, args ...string) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return c.Do(ctx, args...)
}
