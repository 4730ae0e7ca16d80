package command

// longestName is as long as the name of a command or subcommand may be. Redis' own
// are shorter than 24 characters, those of modules than 40.
const longestName = 64

// Lookup is Table.Lookup of the built-in table under the default Policy.
func Lookup(args [][]byte) *Info { return standard.Lookup(args) }

// Lookup returns what the table knows of the command args, by its name, its
// subcommand, and where they matter its other arguments. It is never nil and
// allocates nothing. Letter case does not matter. It may be called concurrently.
func (t *Table) Lookup(args [][]byte) *Info {
	if len(args) == 0 {
		return unknown
	}
	i := find(t.commands, args[0])
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
