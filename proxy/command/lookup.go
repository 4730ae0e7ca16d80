package command

import (
	"slices"
	"strings"
)

// longestName is more than the name of any command or subcommand.
const longestName = 32

var (
	commands = build()

	// unknown is the Info of everything that is not in the table.
	unknown = &Info{Name: "unknown", Class: Write, Arity: -1}
)

// Lookup returns what the table knows of the command args, by its name, its
// subcommand, and where they matter its other arguments. It is never nil and
// allocates nothing. Letter case does not matter. It may be called concurrently.
func Lookup(args [][]byte) *Info {
	if len(args) == 0 {
		return unknown
	}
	i := find(commands, args[0])
	if i == nil {
		return unknown
	}
	if i.subcommands != nil && len(args) > 1 {
		sub := find(i.subcommands, args[1])
		if sub == nil {
			return i.other
		}
		i = sub
	}
	if i.when != nil && i.when(args) {
		return i.variant
	}
	return i
}

// find looks name up in table without regard to case.
func find(table map[string]*Info, name []byte) *Info {
	var lower [longestName]byte
	if len(name) > len(lower) {
		return nil
	}
	for k, c := range name {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		lower[k] = c
	}
	return table[string(lower[:len(name)])]
}

// Commands returns all commands and subcommands of the table, sorted by name,
// each as it is without arguments that change its nature.
func Commands() []*Info {
	var all []*Info
	for _, i := range commands {
		all = append(all, i)
		for _, sub := range i.subcommands {
			all = append(all, sub)
		}
	}
	slices.SortFunc(all, func(a, b *Info) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// build makes the map that Lookup uses of the tables.
func build() map[string]*Info {
	m := make(map[string]*Info, 512)
	var subs []row
	for _, table := range tables {
		for _, r := range table {
			if strings.Contains(r.Name, "|") {
				subs = append(subs, r)
			} else {
				m[r.Name] = r.Info
			}
		}
	}
	for _, r := range subs {
		container, sub, _ := strings.Cut(r.Name, "|")
		c := m[container]
		if c.subcommands == nil {
			c.subcommands = make(map[string]*Info, 16)
			other := *c
			other.Known, other.Repeatable, other.subcommands = false, false, nil
			if other.Class == Read {
				other.Class = Write
			}
			c.other = &other
		}
		c.subcommands[sub] = r.Info
	}
	return m
}
