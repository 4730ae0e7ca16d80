package config

import (
	"fmt"
	"strings"
)

// longestCommand is more than the name of any command or subcommand of Redis and
// of its modules.
const longestCommand = 64

// commands checks a list of commands' names, as to their form only. everything says
// that "*" may stand there.
func (v *validation) commands(key string, names []string, everything bool) {
	for _, name := range names {
		if name == "*" && everything {
			continue
		}
		if problem := commandProblem(name); problem != "" {
			v.add(key, name, problem)
		}
	}
}

// commandProblem says what is wrong with the form of a command's name, or "".
func commandProblem(name string) string {
	const acl = "looks like a rule of Redis' ACLs; name commands, such as debug or client|pause"
	switch {
	case name == "*":
		return "would forbid every command; name the ones to forbid"
	case strings.HasPrefix(strings.TrimSpace(name), "-"):
		return acl
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-| ", r):
		case r == '*':
			return "is a pattern; name whole commands, of which one with subcommands, such as client, stands for them all"
		case r == '@', r == '+':
			return acl
		default:
			return fmt.Sprintf("has %q in it, which is in no command's name; write for example debug or client|pause", r)
		}
	}
	words := strings.Fields(name)
	if strings.Contains(name, "|") {
		words = strings.Split(name, "|")
	}
	for _, word := range words {
		word = strings.TrimSpace(word)
		switch {
		case word == "" || strings.Contains(word, " "):
			words = nil
		case len(word) > longestCommand:
			return fmt.Sprintf("is longer than the %d characters that a name may have", longestCommand)
		}
	}
	if len(words) == 0 || len(words) > 2 {
		return "is not a command, or a command and a subcommand; write for example debug or client|pause"
	}
	return ""
}
