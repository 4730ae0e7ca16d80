package proxy

import (
	"crypto/sha1"
	"encoding/hex"
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

// body returns the body whose SHA1 digest, in hexadecimal, sha is.
func (c *scripts) body(sha []byte) (string, bool) {
	if len(sha) != 2*sha1.Size {
		return "", false
	}
	var want [sha1.Size]byte
	if _, err := hex.Decode(want[:], sha); err != nil {
		return "", false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for body := range c.bodies {
		if sha1.Sum([]byte(body)) == want {
			return body, true
		}
	}
	return "", false
}

// heedScript takes a reply for what it says about scripts. False: it is not for the
// client, because the master has lost a script that this client may rely on; it is
// loaded, and the command sent again. It did not run.
func (s *Session) heedScript(r *request, frame []byte) bool {
	switch r.info.Verb {
	case command.ScriptFlush:
		if frame[0] != '-' {
			s.server.scripts.flush()
		}
	case command.ClientUnpause:
		if frame[0] != '-' {
			s.server.noteUnpause()
		}
	case command.EvalSha, command.EvalShaRO:
		if r.got++; r.got <= r.skip {
			return false
		}
		if r.tries >= maxTries || len(r.args) < 2 || !resp.IsError(frame, "NOSCRIPT") {
			return true
		}
		body, ok := s.server.scripts.body(r.args[1])
		if !ok {
			return true
		}
		r.raw = resp.AppendCommandBytes(resp.AppendCommand(nil, "SCRIPT", "LOAD", body), r.args...)
		r.frames, r.skip, r.got = 2, 1, 0
		r.tries, r.state, s.next = r.tries+1, unsent, 0
		return false
	}
	return true
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
