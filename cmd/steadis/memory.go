package main

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"steadis/config"
	"steadis/proxy"
)

// What steadis needs beside the buffers that its limits bound, in bytes: for itself, and for
// each client, idle, of which clientKernel is the kernel's (measured: 8 kB of heap and stacks,
// and the socket with its buffers' heads).
const (
	ownMemory       = 32 << 20
	clientMemory    = 9 << 10
	clientTLSMemory = 40 << 10 // where clients speak TLS, whose state and buffers are Go's
	clientKernel    = 4 << 10
)

// memoryOfClient is what a client takes, idle, besides the kernel's part.
func memoryOfClient(c *config.Config) int64 {
	if slices.ContainsFunc(c.Listeners(), config.ListensTLS) {
		return clientTLSMemory
	}
	return clientMemory
}

// memoryLimit gives the memory limit of the control group that this process is in, in bytes;
// 0 if there is none. root is "/", but in tests.
func memoryLimit(root string) int64 {
	groups, err := os.Open(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0 // no Linux, or no control groups
	}
	defer func() { _ = groups.Close() }() // it was only read
	limit := int64(0)
	for lines := bufio.NewScanner(groups); lines.Scan(); {
		// "0::/path" in version 2, "4:memory:/path" in version 1 (cgroups(7)).
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[0] == "0" && parts[1] == "":
			limit = lower(limit, limitUpwards(filepath.Join(root, "sys/fs/cgroup"), parts[2], "memory.max"))
		case strings.Contains(","+parts[1]+",", ",memory,"):
			limit = lower(limit, limitUpwards(filepath.Join(root, "sys/fs/cgroup/memory"), parts[2], "memory.limit_in_bytes"))
		}
	}
	return limit
}

// limitUpwards gives the least limit of the group and of those that it is in. In a container
// the path is that of the host, and the group's own files are at the mount's root.
func limitUpwards(mount, group, file string) int64 {
	limit := int64(0)
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		if text, err := os.ReadFile(filepath.Join(mount, group, file)); err == nil {
			limit = lower(limit, parseLimit(string(text)))
		}
		if group == "/" {
			return limit
		}
	}
}

// noLimit is from where on a number stands for none: version 1 shows the largest multiple
// of a page that fits.
const noLimit = 1 << 60

func parseLimit(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n >= noLimit { // "max"
		return 0
	}
	return n
}

// lower gives the lower of two limits, of which 0 is none.
func lower(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// fitted is what a memory limit leads to.
type fitted struct {
	goLimit int64    // for Go's collector, in bytes
	lowered []string // keys whose defaults were lowered
	advice  string   // what does not fit; "" if all does
}

// The shares of what is left for buffers that their defaults get at most. A part is left for
// what is garbage and not collected yet.
var shares = []struct {
	key      string
	size     func(*config.Config) *config.Size
	nth, per int64
	shared   bool // by the clients of listen_replicas; they have as much again of the others (reader's laneOptions)
}{
	{"hold_max_bytes", func(c *config.Config) *config.Size { return &c.HoldMaxBytes }, 2, 10, false},
	{"limits.memory", func(c *config.Config) *config.Size { return &c.Limits.Memory }, 3, 10, false},
	{"limits.query_memory", func(c *config.Config) *config.Size { return &c.Limits.QueryMemory }, 1, 10, true},
}

// leastShare keeps what is lowered useful.
const leastShare = 1 << 20

// fit lowers the defaults of what bounds buffers so that all of them fit into limit, and says
// what does not: a value that somebody has set is his.
func fit(c *config.Loaded, limit int64) fitted {
	crowds := crowds(&c.Config)
	clients := int64(c.Limits.Clients) * crowds
	f := fitted{goLimit: max(limit*9/10-clients*clientKernel, limit/2)}
	each := memoryOfClient(&c.Config)
	left := f.goLimit - ownMemory - clients*each
	sum := int64(0)
	for _, s := range shares {
		size, times := s.size(&c.Config), crowds
		if s.shared {
			times = 1
		}
		if most := max(left*s.nth/s.per/times, leastShare) / leastShare * leastShare; c.Origins[s.key] == "" && int64(*size) > most {
			*size = config.Size(most)
			c.Origins[s.key] = "the memory limit of " + mib(limit)
			f.lowered = append(f.lowered, s.key)
		}
		sum += int64(*size) * times
	}
	if most := int(max(left/10/crowds, leastShare) / proxy.RequestCost / 1000 * 1000); c.Origins["hold_max_commands"] == "" && c.HoldMaxCommands > most {
		c.HoldMaxCommands = most
		c.Origins["hold_max_commands"] = "the memory limit of " + mib(limit)
		f.lowered = append(f.lowered, "hold_max_commands")
	}
	sum += int64(c.HoldMaxCommands) * proxy.RequestCost * crowds
	switch {
	case left < 10*leastShare:
		f.advice = fmt.Sprintf("the memory limit is %s, and %d clients alone may need %s; lower limits.clients or raise the limit",
			mib(limit), clients, mib(ownMemory+clients*(each+clientKernel)))
	case sum > left:
		f.advice = fmt.Sprintf("the memory limit is %s: beside %d clients it leaves %s, but hold_max_bytes, hold_max_commands, limits.memory and limits.query_memory allow %s; lower them or raise the limit",
			mib(limit), clients, mib(left), mib(sum))
	}
	return f
}

// crowds is how many times limits.clients there may be clients: those of listen_replicas count
// for themselves.
func crowds(c *config.Config) int64 {
	for _, own := range c.PerMaster() {
		if len(own.ListenReplicas) > 0 {
			return 2
		}
	}
	return 1
}

// mib writes a size for people.
func mib(n int64) string { return strconv.FormatInt(n>>20, 10) + "mb" }
