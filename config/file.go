package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/knadh/koanf/maps"
	"go.yaml.in/yaml/v3"
)

// maxFile bounds a configuration or password file. Whoever names a larger one
// has named a wrong one.
const maxFile = 1 << 20

// readFile reads a whole file of at most maxFile bytes.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read: nothing can be lost
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("read %s: larger than 1mb, so it is not a file of this kind", name)
	}
	return data, err
}

// strictFile is a koanf.Parser for a file of our keys. Other than a plain YAML
// decoder it knows the lines, refuses keys that nobody knows, and keeps every scalar
// as the text that was written: `password: 0012` is not the number 10.
type strictFile struct {
	name    string
	faults  Faults
	origins map[string]string // key path -> "steadis.yaml, line 3"
	values  map[string]any    // key path -> string; []string for lists and pairs; []Master
}

// Unmarshal returns the known keys, nested. What is wrong is in faults; the
// error is always nil.
func (f *strictFile) Unmarshal(data []byte) (map[string]any, error) {
	f.origins, f.values = map[string]string{}, map[string]any{}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	err := decoder.Decode(&document)
	if err == nil {
		if again := decoder.Decode(&second); again == nil {
			f.whole(fmt.Sprintf("%s: line %d: has a second document; put everything in one", f.name, second.Line))
		} else if !errors.Is(again, io.EOF) {
			err = again
		}
	}
	switch {
	case errors.Is(err, io.EOF): // empty, or only comments: every default stands
	case err != nil:
		f.whole(fmt.Sprintf("%s is not valid YAML: %s", f.name, withoutValue(strings.TrimPrefix(err.Error(), "yaml: "))))
	case len(document.Content) != 1 || isNull(document.Content[0]):
	case document.Content[0].Kind != yaml.MappingNode:
		f.whole(fmt.Sprintf("%s has no keys; write lines such as `master: mymaster`", f.name))
	default:
		f.section(document.Content[0], "")
	}
	return maps.Unflatten(f.values, "."), nil
}

// withoutValue takes out of an error what may be a password: one that begins with * is an
// alias to YAML, which it would name.
func withoutValue(text string) string {
	if strings.HasPrefix(text, "unknown anchor") {
		return "a value that begins with * must stand in quotes"
	}
	return text
}

// Marshal is not used; it makes strictFile a koanf.Parser.
func (f *strictFile) Marshal(map[string]any) ([]byte, error) {
	return nil, errors.New("config: strictFile only reads")
}

func (f *strictFile) section(mapping *yaml.Node, prefix string) {
	table := knownKeys()
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		name, value := mapping.Content[i], mapping.Content[i+1]
		path := prefix + name.Value
		where := fmt.Sprintf("%s, line %d", f.name, name.Line)
		key, isKey := table.byPath[path]
		first, twice := f.origins[path]
		switch {
		case name.Kind != yaml.ScalarNode || name.Tag == "!!merge" || value.Kind == yaml.AliasNode:
			f.whole(where + ": aliases, merged and compound keys are not understood; write the keys out")
		case twice:
			f.whole(fmt.Sprintf("key '%s' stands twice, in %s and in line %d; remove one", path, first, name.Line))
		case isKey:
			f.origins[path] = where
			f.value(key, where, value)
		case !table.sections[path]:
			f.faults = append(f.faults, unknownFault("key", path, where, table.nearest(path)))
		case value.Kind == yaml.MappingNode:
			f.origins[path] = where
			f.section(value, path+".")
		case !isNull(value): // a section whose keys are all commented out is null
			f.add(path, where, "is a section; put its keys below it, indented")
		}
	}
}

// value keeps what stands behind a key as text or as a list of texts.
func (f *strictFile) value(key *Key, where string, value *yaml.Node) {
	switch {
	case isNull(value):
		f.add(key.Path, where, `has no value; write "" for an empty one, or remove the line`)
	case value.Kind == yaml.ScalarNode:
		f.values[key.Path] = value.Value
	case key.kind == kindList && value.Kind == yaml.SequenceNode:
		f.texts(key, where, value.Content)
	case key.kind.mapping() && value.Kind == yaml.MappingNode:
		f.texts(key, where, value.Content)
	case key.kind == kindMasters && value.Kind == yaml.SequenceNode:
		f.masters(key, value.Content)
	case key.kind == kindMasters:
		f.add(key.Path, where, "must be a list, with entries such as {name: cache, listen: [\"127.0.0.1:6379\"]}")
	case key.kind == kindPairs:
		f.add(key.Path, where, `must be a mapping, with lines such as "172.18.0.2:6379": "127.0.0.1:7001"`)
	case key.kind == kindUsers:
		f.add(key.Path, where, `must be a mapping, with lines such as app: "#<SHA-256 of the password>"`)
	case key.kind == kindList:
		f.add(key.Path, where, "must be a list, such as [a, b]")
	default:
		f.add(key.Path, where, "must be a single value")
	}
}

// texts keeps a list, or a mapping as a list of a=b.
func (f *strictFile) texts(key *Key, where string, nodes []*yaml.Node) {
	items := make([]string, 0, len(nodes))
	for _, node := range nodes {
		if node.Kind != yaml.ScalarNode || isNull(node) {
			f.add(key.Path, where, "has an entry that is not plain text; write each one in quotes")
			return
		}
		items = append(items, node.Value)
	}
	if key.kind.mapping() {
		for i := 0; i+1 < len(items); i += 2 {
			items[i/2] = items[i] + "=" + items[i+1]
		}
		items = items[:len(items)/2]
	}
	f.values[key.Path] = items
}

func (f *strictFile) add(path, where, problem string) {
	f.faults = append(f.faults, Fault{Key: path, Source: where, Problem: problem})
}

func (f *strictFile) whole(sentence string) {
	f.faults = append(f.faults, Fault{Source: f.name, Problem: sentence, whole: true})
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }
