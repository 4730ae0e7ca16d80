package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Master is one of several masters that one process serves, each at addresses of its own.
type Master struct {
	// Name is what the Sentinels know it by.
	Name string
	// Listen and ListenReplicas are as those of Config.
	Listen, ListenReplicas []string
	// Hold is as Config.Hold. 0: that one.
	Hold time.Duration
}

// Several says whether Masters names who is served. It may name but one; then everything is
// told apart by its name all the same, so that a second one changes nothing for the first.
func (c *Config) Several() bool { return len(c.Masters) > 0 }

// PerMaster gives a configuration for each master, as if it were the only one: without
// Masters, with its own name, addresses and hold. What bounds the memory of all clients
// together is divided among them; limits.clients and limits.query_memory are not, for they
// are shared. A Config that names one master alone gives itself.
func (c *Config) PerMaster() []*Config {
	if !c.Several() {
		return []*Config{c}
	}
	n := len(c.Masters)
	all := make([]*Config, n)
	for i, m := range c.Masters {
		own := *c
		own.Masters, own.Master = nil, m.Name
		own.Listen, own.ListenReplicas = m.Listen, m.ListenReplicas
		if m.Hold > 0 {
			own.Hold = m.Hold
		}
		own.HoldMaxCommands = max(c.HoldMaxCommands/n, 1)
		own.HoldMaxBytes = max(c.HoldMaxBytes/Size(n), 1)
		own.Limits.Memory = max(c.Limits.Memory/Size(n), 1)
		all[i] = &own
	}
	return all
}

// of names the master of own, one of PerMaster, where that is not plain: " of cache".
func (c *Config) of(own *Config) string {
	if !c.Several() {
		return ""
	}
	return " of " + own.Master
}

// MasterNames lists the names of all masters.
func (c *Config) MasterNames() []string {
	names := []string{}
	for _, own := range c.PerMaster() {
		names = append(names, own.Name())
	}
	return names
}

// choose makes c the configuration of the one master that c.Master names, where Masters
// names several; problem is the rest of a sentence that begins with master.
func (c *Config) choose(needed bool) (problem string) {
	i := slices.IndexFunc(c.Masters, func(m Master) bool { return m.Name == c.Master })
	switch names := strings.Join(c.MasterNames(), ", "); {
	case !c.Several():
		return ""
	case c.Master == "" && len(c.Masters) == 1:
		i = 0
	case c.Master == "" && !needed:
		return ""
	case c.Master == "":
		return "is not set, and there are several; name the one that this is about: " + names
	case i < 0:
		return "is none of masters; choose one of " + names
	}
	*c = *c.PerMaster()[i]
	return ""
}

// withHolds gives masters with the holds that from has for them: the only part of them that
// can change while a process runs.
func withHolds(masters, from []Master) []Master {
	merged := slices.Clone(masters)
	for i, m := range merged {
		if j := slices.IndexFunc(from, func(f Master) bool { return f.Name == m.Name }); j >= 0 {
			merged[i].Hold = from[j].Hold
		}
	}
	return merged
}

// String gives the master as decodeMasters reads it.
func (m Master) String() string {
	words := slices.Clone(m.Listen)
	for _, entry := range m.ListenReplicas {
		words = append(words, wordReplicas+entry)
	}
	if m.Hold != 0 {
		words = append(words, wordHold+formatDuration(m.Hold))
	}
	return m.Name + "=" + strings.Join(words, " ")
}

// What begins a word behind a master's name that is not an address to listen on.
const (
	wordReplicas = "listen_replicas="
	wordHold     = "hold="
)

// decodeMasters reads entries such as "cache=:6379 hold=5s".
func decodeMasters(entries []string) ([]Master, error) {
	masters := make([]Master, 0, len(entries))
	for _, entry := range entries {
		name, rest, found := strings.Cut(entry, "=")
		m := Master{Name: strings.TrimSpace(name)}
		if !found || m.Name == "" {
			return nil, fmt.Errorf("has the entry '%s', which is not a name and an address; write name=address, such as cache=127.0.0.1:6379", entry)
		}
		for _, word := range strings.Fields(rest) {
			if address, isReplicas := strings.CutPrefix(word, wordReplicas); isReplicas {
				m.ListenReplicas = append(m.ListenReplicas, address)
			} else if text, isHold := strings.CutPrefix(word, wordHold); isHold {
				var err error
				if m.Hold, err = decodeHold(text); err != nil {
					return nil, fmt.Errorf("has for '%s' the hold '%s', which %w", m.Name, text, err)
				}
			} else {
				m.Listen = append(m.Listen, word)
			}
		}
		masters = append(masters, m)
	}
	return masters, nil
}

// decodeHold reads a master's own hold. Unlike a Master's it cannot be 0: who writes 0 does
// not mean the hold of all.
func decodeHold(text string) (time.Duration, error) {
	d, err := decodeDuration(text)
	if err == nil && d <= 0 {
		err = errors.New("must be more than 0; leave it out for that of all")
	}
	return d, err
}

// masters keeps the entries that stand under masters in a file.
func (f *strictFile) masters(key *Key, nodes []*yaml.Node) {
	masters, before := make([]Master, len(nodes)), len(f.faults)
	for i, node := range nodes {
		f.master(key, node, &masters[i])
	}
	if len(f.faults) == before {
		f.values[key.Path] = masters
	}
}

// master reads one entry.
func (f *strictFile) master(key *Key, node *yaml.Node, m *Master) {
	where := fmt.Sprintf("%s, line %d", f.name, node.Line)
	if node.Kind != yaml.MappingNode {
		f.add(key.Path, where, "has an entry that is not a master; write for example {name: cache, listen: [\"127.0.0.1:6379\"], hold: 10s}")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i].Value, node.Content[i+1]
		where := fmt.Sprintf("%s, line %d", f.name, node.Content[i].Line)
		var err error
		switch {
		case seen[name]:
			err = errors.New("stands twice; remove one")
		case isNull(value):
			err = errors.New("has no value; write one, or remove it")
		case name == "listen":
			m.Listen, err = textsOf(value)
		case name == "listen_replicas":
			m.ListenReplicas, err = textsOf(value)
		case name != "name" && name != "hold":
			err = errors.New("is not known; a master has a name, listen, listen_replicas and hold")
		case value.Kind != yaml.ScalarNode:
			err = errors.New("must be a single value")
		case name == "name":
			m.Name = value.Value
		default:
			m.Hold, err = decodeHold(value.Value)
		}
		if err != nil {
			f.add(key.Path, where, fmt.Sprintf("has an entry whose %s %v", name, err))
		}
		seen[name] = true
	}
}

// textsOf reads a list of texts, or one text with commas as in a variable.
func textsOf(value *yaml.Node) ([]string, error) {
	if value.Kind == yaml.ScalarNode {
		return decodeList(value.Value)
	}
	texts := make([]string, len(value.Content))
	for i, node := range value.Content {
		if value.Kind != yaml.SequenceNode || node.Kind != yaml.ScalarNode || isNull(node) {
			return nil, errors.New("must be a list of texts, such as [a, b]")
		}
		texts[i] = node.Value
	}
	return texts, nil
}

// mastersNode writes masters as a file has them.
func mastersNode(masters []Master) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	if len(masters) == 0 {
		list.Style = yaml.FlowStyle
	}
	for _, m := range masters {
		entry := &yaml.Node{Kind: yaml.MappingNode}
		set := func(name string, value any) {
			entry.Content = append(entry.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, valueNode(value))
		}
		set("name", m.Name)
		set("listen", m.Listen)
		if len(m.ListenReplicas) > 0 {
			set("listen_replicas", m.ListenReplicas)
		}
		if m.Hold > 0 {
			set("hold", m.Hold)
		}
		list.Content = append(list.Content, entry)
	}
	return list
}

// masters finds what is wrong with the list of them, but for where they listen (listeners).
func (v *validation) masters(c *Config) {
	if !c.Several() {
		return
	}
	only := func(key, value string) {
		if value != "" {
			v.against("masters", key, value, "contradicts masters, where each has a name and addresses of its own; put it there, or remove masters")
		}
	}
	only("master", c.Master)
	only("listen", strings.Join(c.Listen, ","))
	only("listen_replicas", strings.Join(c.ListenReplicas, ","))
	if c.Discovery != DiscoverySentinel {
		v.against("discovery", "masters", strings.Join(c.MasterNames(), ","), fmt.Sprintf("needs Sentinels, which know several masters by name, and discovery is '%s'; remove it, or set discovery: sentinel", c.Discovery))
	}
	seen := map[string]bool{}
	for i, m := range c.Masters {
		switch {
		case m.Name == "":
			v.add("masters", "", fmt.Sprintf("has an entry without a name (number %d); give the master's name in Sentinel's configuration", i+1))
		case strings.ContainsFunc(m.Name, blank):
			v.add("masters", m.Name, "has a blank or a control character in it; Sentinel's names have none")
		case seen[m.Name]:
			v.add("masters", m.Name, "stands twice in the list; name each master once, with all its addresses")
		}
		seen[m.Name] = true
		if len(m.Listen) == 0 {
			v.add("masters", m.Name, "has no address to listen on, so no client could connect; give it one, as in cache=127.0.0.1:6379")
		}
		if m.Hold < 0 {
			v.add("masters", m.Name, "has a hold of less than 0; leave it out for that of all")
		}
	}
}
