package command

import (
	"errors"
	"fmt"
	"strings"
)

// Policy is what a user changes of which commands pass. Names are written as
// users write them, in any letter case: "debug", "client|pause" or "client pause".
// The name of a container stands for all its subcommands. It does not reach into
// scripts: what they call is up to Redis' ACLs.
type Policy struct {
	// Allow lists refused commands that are to pass. "*" is every one that may.
	Allow []string
	// Deny lists commands that are to be refused. It beats Allow.
	Deny []string
}

// denied is the Info.Reason of what Policy.Deny refuses.
const denied = "deny_commands forbids it"

// policy is a Policy that has been read.
type policy struct {
	all         bool // Allow has "*"
	allow, deny map[string]bool
}

// read checks p against the built-in table; the error joins one for each entry
// that can have no effect.
func (p Policy) read() (*policy, error) {
	read := &policy{allow: map[string]bool{}, deny: map[string]bool{}}
	var faults []error
	fault := func(list, entry string, err error) {
		faults = append(faults, fmt.Errorf("%s '%s' %w", list, entry, err))
	}
	for _, entry := range p.Allow {
		if entry == "*" {
			read.all = true
			continue
		}
		name, err := parseName(entry)
		if err == nil {
			err = mayLift(name)
		}
		if err != nil {
			fault("allow_commands", entry, err)
			continue
		}
		read.allow[name] = true
	}
	for _, entry := range p.Deny {
		name, err := parseName(entry)
		if entry == "*" {
			err = errors.New("would forbid every command; name the ones to forbid")
		}
		if err != nil {
			fault("deny_commands", entry, err)
			continue
		}
		read.deny[name] = true
	}
	return read, errors.Join(faults...)
}

// parseName brings an entry of a Policy into the form of Info.Name. The error
// goes on after the entry.
func parseName(entry string) (string, error) {
	for _, c := range entry {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.ContainsRune("._-| ", c):
		default:
			return "", fmt.Errorf("has %q in it, which is in no command's name; write for example debug, or client|pause", c)
		}
	}
	entry = strings.ToLower(entry)
	words := strings.Fields(strings.Replace(entry, "|", " ", 1))
	if len(words) == 0 || len(words) > 2 || words[0][0] == '-' || strings.Contains(entry, "|") && len(words) < 2 || strings.Contains(words[len(words)-1], "|") {
		return "", errors.New("is not a command, or a command and a subcommand; write for example debug, or client|pause")
	}
	for _, w := range words {
		if len(w) > longestName {
			return "", fmt.Errorf("is longer than the %d characters that a name may have", longestName)
		}
	}
	r, known := builtIn[words[0]]
	switch {
	case known && r.Verb == HTTP:
		return "", errors.New("is no command")
	case known && len(words) == 2 && !r.container && !r.words:
		return "", fmt.Errorf("names a subcommand, and %s has none", words[0])
	}
	return strings.Join(words, "|"), nil
}

// mayLift says by its error that Allow cannot lift the refusal of the command name.
func mayLift(name string) error {
	if r, known := builtIn[name]; known && r.why != "" && r.forGood {
		return fmt.Errorf("can never be allowed: %s", r.why)
	}
	return nil
}

// has says whether set has name itself or, if it is a subcommand, its container.
func has(set map[string]bool, name string) bool {
	container, _, _ := strings.Cut(name, "|")
	return set[name] || set[container]
}

// judge gives the Info of r under p: its own, or that of a refusal.
func (p *policy) judge(r row) *Info {
	switch {
	case has(p.deny, r.Name) && r.Verb != HTTP:
		return refuse(r.Info, denied, false)
	case r.why == "" || !r.forGood && (p.all || has(p.allow, r.Name)):
		return r.Info
	}
	return refuse(r.Info, r.why, !r.forGood)
}

// refuse gives what i becomes when it does not pass. It has no verb, so that nobody
// who looks at nothing else lets it run.
func refuse(i *Info, reason string, liftable bool) *Info {
	refusal := &Info{
		Name: i.Name, Class: Refused, Arity: i.Arity, Known: i.Known, Merged: i.Merged, Reason: reason, Liftable: liftable,
		NoAuth: i.NoAuth, InSubscribe: i.InSubscribe, NotQueued: i.NotQueued,
	}
	if i.Verb == HTTP {
		refusal.Verb = HTTP
	}
	return refusal
}
