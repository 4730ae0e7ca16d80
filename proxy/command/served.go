package command

import "strings"

// Served is a command as a server's COMMAND shows it.
type Served struct {
	// Name is in lower case; that of a subcommand has its container's in front:
	// "client|list".
	Name string
	// Arity is as Info.Arity.
	Arity int
	// Flags are the words that COMMAND has for them, such as "write".
	Flags []string
	// Subcommands are empty before Redis 7.0, which does not tell them.
	Subcommands []Served
}

// harmless are the flags that a repeatable read may have. With any other one it is
// in doubt whether a command flagged readonly may be repeated:
//
//   - admin: it is about the server, whose state it may change;
//   - pubsub, noscript, no_multi, no_auth, allow_busy: those of Redis that have
//     them are mostly about the connection, its transaction or its subscriptions;
//   - denyoom: it needs memory, as what writes does;
//   - blocking: it waits, and stops what comes after it;
//   - write, may_replicate: it says itself that it writes;
//   - any that is not known here.
var harmless = map[string]bool{
	"readonly": true, "module": true, "fast": true, "loading": true, "stale": true, "skip_monitor": true, "skip_slowlog": true,
	"movablekeys": true, "no_mandatory_keys": true, "no_async_loading": true, "random": true, "sort_for_script": true,
}

// row makes a row of a command that no built-in table has.
func (s Served) row(name string) row {
	i := &Info{Name: name, Class: Write, Arity: s.Arity, Known: true, Merged: true}
	if i.Arity == 0 {
		i.Arity = -1
	}
	readonly, doubtful := false, false
	for _, flag := range s.Flags {
		flag = strings.ToLower(flag)
		readonly = readonly || flag == "readonly"
		doubtful = doubtful || !harmless[flag]
		i.NoAuth = i.NoAuth || flag == "no_auth"
		if flag == "blocking" {
			i.Class = Blocking
		}
	}
	if readonly && !doubtful {
		i.Class, i.Repeatable = Read, true
	}
	return row{Info: i}
}

// serve adds what is new of a served command and its subcommands.
func (b *builder) serve(s Served) {
	name := strings.ToLower(s.Name)
	if !legal(name) {
		return
	}
	c, there := b.rows[name]
	switch {
	case !there:
		c = s.row(name)
		c.container = len(s.Subcommands) > 0
		b.add(c)
	case !c.container:
		return // its first argument is data, whatever this master does with it
	}
	for _, sub := range s.Subcommands {
		word := strings.TrimPrefix(strings.ToLower(sub.Name), name+"|")
		full := name + "|" + word
		if _, there := b.rows[full]; there || !legal(word) {
			continue
		}
		r := sub.row(full)
		if other := c.other(); other.why != "" || other.Class != Write {
			other.Name, other.Arity, other.Known, other.Merged = r.Name, r.Arity, true, true
			r = other
		}
		r.container = false
		b.add(r)
	}
}

// legal says whether a name can be looked up and be shown to clients.
func legal(name string) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' || name[i] == '|' {
			return false
		}
	}
	return name != "" && len(name) <= longestName
}
