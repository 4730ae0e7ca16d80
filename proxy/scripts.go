package proxy

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"
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

// scripts remembers the bodies that came in EVAL and SCRIPT LOAD and were run. A
// new master does not have them (since Redis 7.0 the script cache is not
// replicated), so they are loaded there before commands are let through, and an
// EVALSHA never meets NOSCRIPT because of a failover.
type scripts struct {
	mu     sync.Mutex // guards the fields below; nothing is called under it
	bodies map[string]struct{}
	bytes  int
}

// bodyIn returns the script in a command, nil if there is none that Redis would keep.
func bodyIn(info *command.Info, args [][]byte) []byte {
	switch info.Verb {
	case command.Eval, command.EvalRO:
		if len(args) > 2 {
			// Redis looks at the number of keys first (7.0 eval.c evalGenericCommand).
			if keys, err := strconv.Atoi(string(args[2])); err == nil && keys >= 0 && keys <= len(args)-3 {
				return args[1]
			}
		}
	case command.ScriptLoad:
		if len(args) == 3 {
			return args[2]
		}
	}
	return nil
}

// noteScripts remembers the scripts in commands that an EXEC with this reply has run.
func (s *Session) noteScripts(commands []*request, exec []byte) {
	if !ran(exec) {
		return
	}
	for _, r := range commands {
		if body := bodyIn(r.info, r.args); body != nil {
			s.server.scripts.note(body)
		}
	}
}

// note remembers a body that the master has: it was run or loaded there.
func (c *scripts) note(body []byte) {
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
	case command.Eval, command.EvalRO, command.ScriptLoad:
		// The script's own error leaves it in the cache. (One that does not compile is not
		// there, nor will it be when it is loaded.)
		if body := bodyIn(r.info, r.args); body != nil && !resp.IsError(frame, "NOPERM") && !resp.IsError(frame, "NOAUTH") {
			s.server.scripts.note(body)
		}
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
