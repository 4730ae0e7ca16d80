package proxy

import (
	"sync"

	"steadis/proxy/command"
	"steadis/proxy/resp"
)

// What is remembered of scripts. Beyond it new ones are not: a client that makes a
// new script for each call must not push out the ones that others rely on.
const (
	maxScripts     = 4096
	maxScriptBytes = 16 << 20
)

// scripts remembers the bodies that clients have sent in EVAL and SCRIPT LOAD. A
// new master does not have them (since Redis 7.0 the script cache is not
// replicated), so they are loaded there before commands are let through, and an
// EVALSHA never meets NOSCRIPT because of a failover.
type scripts struct {
	mu     sync.Mutex // guards the fields below; nothing is called under it
	bodies map[string]struct{}
	bytes  int
}

// note remembers the body in a command, if it has one.
func (c *scripts) note(info *command.Info, args [][]byte) {
	var body []byte
	switch {
	case (info.Verb == command.Eval || info.Verb == command.EvalRO) && len(args) > 1:
		body = args[1]
	case info.Verb == command.ScriptLoad && len(args) > 2:
		body = args[2]
	default:
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.bodies[string(body)]; ok || len(c.bodies) >= maxScripts || c.bytes+len(body) > maxScriptBytes {
		return
	}
	if c.bodies == nil {
		c.bodies = make(map[string]struct{})
	}
	c.bodies[string(body)] = struct{}{}
	c.bytes += len(body)
}

// flush forgets all, as SCRIPT FLUSH does.
func (c *scripts) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies, c.bytes = nil, 0
}

// loads returns the commands that load all of them.
func (c *scripts) loads() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([][]byte, 0, len(c.bodies))
	for body := range c.bodies {
		all = append(all, resp.AppendCommand(nil, "SCRIPT", "LOAD", body))
	}
	return all
}
