package command

import (
	"maps"
	"slices"
	"strings"
)

// Table is what is known of commands under one Policy, and of one master if it
// comes from With. It is immutable and may be used concurrently.
type Table struct {
	policy   *policy
	commands map[string]*Info
}

var (
	// builtIn has the rows of the built-in tables by their names.
	builtIn = rows()

	// standard is the table of package-level Lookup.
	standard = build(&policy{}, nil)

	// unknown is the Info of everything that is in no table.
	unknown = &Info{Name: "unknown", Class: Write, Arity: -1}
)

// New makes the table of the built-in commands under p. The error names every
// entry of p that can have no effect: it names no command and never can, or asks
// for what is never allowed. A name that the built-in table does not know is no
// error: it may be that of a module's command, or of one that was renamed.
func New(p Policy) (*Table, error) {
	read, err := p.read()
	if err != nil {
		return nil, err
	}
	return build(read, nil), nil
}

// With returns a table that, besides, knows what a master serves. What the
// built-in table says stays as it is; what another With added is not in it.
//
// Of a command that is only in served, the flags say what it is: one that may block
// is Blocking without a known timeout, one that is flagged readonly, and nothing that
// makes this doubtful, is a repeatable Read, and everything else a Write. A new
// subcommand of a built-in container is as careful as an unknown one there: one of
// CLUSTER is refused, one of CLIENT is about the connection.
//
// A command that rename-command has renamed stays unknown: COMMAND shows it under its
// former name (Redis 7.0 server.c addReplyCommandInfo: fullname).
func (t *Table) With(served []Served) *Table { return build(t.policy, served) }

// rows collects the built-in rows and marks the containers.
func rows() map[string]row {
	all := make(map[string]row, 640)
	for _, table := range tables {
		for _, r := range table {
			all[r.Name] = r
		}
	}
	for name := range all {
		if container, _, isSub := strings.Cut(name, "|"); isSub {
			r := all[container]
			r.container = true
			all[container] = r
		}
	}
	return all
}

// build makes a Table in three steps, each of which adds what the former ones do
// not have.
func build(p *policy, served []Served) *Table {
	b := &builder{policy: p, rows: make(map[string]row, len(builtIn)+16), commands: make(map[string]*Info, 512)}
	for _, r := range builtIn {
		if !strings.Contains(r.Name, "|") {
			b.add(r)
		}
	}
	for _, r := range builtIn {
		if strings.Contains(r.Name, "|") {
			b.add(r)
		}
	}
	for _, s := range served {
		b.serve(s)
	}
	for _, name := range slices.Sorted(maps.Keys(p.allow)) {
		b.unlisted(name)
	}
	for _, name := range slices.Sorted(maps.Keys(p.deny)) { // a container before its subcommands
		b.unlisted(name)
	}
	return &Table{policy: p, commands: b.commands}
}

// builder makes a Table.
type builder struct {
	policy   *policy
	rows     map[string]row // what has been added, before it was judged
	commands map[string]*Info
}

// add adds a row, whose container, if it is a subcommand, is there.
func (b *builder) add(r row) {
	b.rows[r.Name] = r
	container, sub, isSub := strings.Cut(r.Name, "|")
	if !isSub {
		b.commands[r.Name] = b.policy.judge(r)
		return
	}
	c := b.commands[container]
	if c.subcommands == nil {
		own := *c // it may be shared with other tables
		own.subcommands = make(map[string]*Info, 16)
		own.other = b.policy.judge(b.rows[container].other())
		c = &own
		b.commands[container] = c
	}
	c.subcommands[sub] = b.policy.judge(r)
}

// other gives the row of what a container does not list.
func (r row) other() row {
	i := *r.Info
	i.when, i.variant, i.subcommands, i.other = nil, nil, nil, nil
	if r.container {
		i.Known, i.Repeatable = false, false
		if i.Class == Read {
			i.Class = Write
		}
	}
	r.Info = &i
	return r
}

// unlisted adds a name of the policy that is in no table, if it makes a difference.
func (b *builder) unlisted(name string) {
	if _, known := b.rows[name]; known {
		return
	}
	container, _, isSub := strings.Cut(name, "|")
	c, known := b.rows[container]
	switch {
	case known: // then it is a subcommand
	case !b.policy.deny[name]:
		return // it passes anyway
	default:
		i := *unknown
		i.Name = container
		c = row{Info: &i}
		b.add(c)
	}
	if isSub {
		r := c.other()
		r.Name, r.container = name, false
		b.add(r)
	}
}

// Commands returns all commands and subcommands of the built-in table, sorted by
// name, each as it is without arguments that change its nature.
func Commands() []*Info {
	var all []*Info
	for _, i := range standard.commands {
		all = append(all, i)
		for _, sub := range i.subcommands {
			all = append(all, sub)
		}
	}
	slices.SortFunc(all, func(a, b *Info) int { return strings.Compare(a.Name, b.Name) })
	return all
}
