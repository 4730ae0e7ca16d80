package config

import (
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// EnvPrefix begins every variable that steadis reads.
const EnvPrefix = "STEADIS_"

// kind is what a key's value is read as. It follows from the field's type.
type kind string

const (
	kindText     kind = "string"
	kindSecret   kind = "secret"
	kindInt      kind = "int"
	kindBool     kind = "bool"
	kindDuration kind = "duration"
	kindSize     kind = "size"
	kindList     kind = "list"    // []string
	kindPairs    kind = "pairs"   // map[string]string
	kindUsers    kind = "users"   // Users
	kindMasters  kind = "masters" // []Master
)

// several says whether a value of this kind is a list of texts.
func (k kind) several() bool { return k == kindList || k == kindMasters || k.mapping() }

// mapping says whether these texts are pairs, a mapping in a file.
func (k kind) mapping() bool { return k == kindPairs || k == kindUsers }

// secret says whether a value of this kind must not be shown.
func (k kind) secret() bool { return k == kindSecret || k == kindUsers }

var kindOfType = map[reflect.Type]kind{
	reflect.TypeFor[string]():            kindText,
	reflect.TypeFor[Secret]():            kindSecret,
	reflect.TypeFor[int]():               kindInt,
	reflect.TypeFor[bool]():              kindBool,
	reflect.TypeFor[time.Duration]():     kindDuration,
	reflect.TypeFor[Size]():              kindSize,
	reflect.TypeFor[[]string]():          kindList,
	reflect.TypeFor[map[string]string](): kindPairs,
	reflect.TypeFor[Users]():             kindUsers,
	reflect.TypeFor[[]Master]():          kindMasters,
}

// Key is one thing that can be configured, under all its names.
type Key struct {
	// Path is the key in the file, such as durable.replicas.
	Path string
	// Flag is the flag's name without dashes in front, such as durable-replicas.
	Flag string
	// Env is the variable, such as STEADIS_DURABLE_REPLICAS.
	Env string
	// Help is the first sentence of its comment in default.yaml, without the full stop.
	Help string
	// Default is the default as a flag would take it.
	Default string
	// Choices lists the values of a key that has but a few.
	Choices []string
	// File is whether the value is a file's path.
	File bool

	kind  kind
	index []int // of the field in Config
}

// Keys lists every key in the order of default.yaml. The slice is shared and must not be changed.
func Keys() []Key { return knownKeys().list }

// keyTable is what default.yaml and Config's tags say together.
type keyTable struct {
	list     []Key
	byPath   map[string]*Key
	sections map[string]bool // durable, log, ...
}

// knownKeys reads default.yaml once. Only keys that both the file and Config
// have are known; TestDefaultFileMatchesConfig sees to it that there are no others.
var knownKeys = sync.OnceValue(func() *keyTable {
	table := &keyTable{byPath: map[string]*Key{}, sections: map[string]bool{}}
	fields := map[string]reflect.StructField{}
	collectFields(reflect.TypeFor[Config](), "", nil, fields)
	var document yaml.Node
	if err := yaml.Unmarshal(DefaultYAML, &document); err != nil || len(document.Content) != 1 {
		return table // Load reads the same file first and reports what is wrong with it
	}
	table.collect(document.Content[0], "", fields)
	// Only the validation knows them, and it looks at every key whatever the values.
	choices := (&Config{}).validate().choices
	for i := range table.list {
		k := &table.list[i]
		table.byPath[k.Path] = k
		k.Choices = choices[k.Path]
		if k.kind == kindBool {
			k.Choices = []string{"true", "false"}
		}
		k.File = strings.HasSuffix(k.Path, "_file")
	}
	return table
})

// collectFields finds the fields with values by their paths. An embedded struct
// adds its fields to the section that it stands in.
func collectFields(t reflect.Type, prefix string, index []int, into map[string]reflect.StructField) {
	for i := range t.NumField() {
		field := t.Field(i)
		field.Index = append(append([]int{}, index...), i)
		tag := field.Tag.Get("key")
		switch {
		case field.Anonymous:
			collectFields(field.Type, prefix, field.Index, into)
		case tag == "":
		case field.Type.Kind() == reflect.Struct && kindOfType[field.Type] == "":
			collectFields(field.Type, prefix+tag+".", field.Index, into)
		default:
			into[prefix+tag] = field
		}
	}
}

func (t *keyTable) collect(mapping *yaml.Node, prefix string, fields map[string]reflect.StructField) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		name, value := mapping.Content[i], mapping.Content[i+1]
		path := prefix + name.Value
		field, found := fields[path]
		switch {
		case found:
			t.list = append(t.list, Key{
				Path:    path,
				Flag:    strings.NewReplacer(".", "-", "_", "-").Replace(path),
				Env:     EnvPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_")),
				Help:    firstSentence(name.HeadComment),
				Default: plainText(value),
				kind:    kindOfType[field.Type],
				index:   field.Index,
			})
		case value.Kind == yaml.MappingNode:
			t.sections[path] = true
			t.collect(value, path+".", fields)
		}
	}
}

// names lists what may stand in a file: keys and sections.
func (t *keyTable) names() []string {
	names := make([]string, 0, len(t.list)+len(t.sections))
	for _, k := range t.list {
		names = append(names, k.Path)
	}
	for section := range t.sections {
		names = append(names, section)
	}
	return names
}

// nearest gives the key that path may stand for. A key written without its
// section, or in a wrong one, stands for the one that ends alike.
func (t *keyTable) nearest(path string) string {
	last := path[strings.LastIndexByte(path, '.')+1:]
	for _, k := range t.list {
		if strings.HasSuffix(k.Path, "."+last) {
			return k.Path
		}
	}
	return Nearest(path, t.names())
}

// nearestVariable gives the variable that name may stand for. Their common prefix
// is not compared: it would make all of them look alike.
func nearestVariable(name string) string {
	known := []string{strings.TrimPrefix(FileVariable, EnvPrefix)}
	for _, k := range Keys() {
		known = append(known, strings.TrimPrefix(k.Env, EnvPrefix))
	}
	if near := Nearest(strings.TrimPrefix(name, EnvPrefix), known); near != "" {
		return EnvPrefix + near
	}
	return ""
}

// firstSentence takes a comment up to its first full stop before a blank.
func firstSentence(comment string) string {
	var text strings.Builder
	for line := range strings.Lines(comment) {
		text.WriteString(strings.TrimSpace(strings.TrimLeft(line, "#")) + " ")
	}
	sentence, _, _ := strings.Cut(text.String(), ". ")
	// pflag takes what stands in backquotes for the name of the value.
	return strings.ReplaceAll(strings.TrimSpace(sentence), "`", "")
}

// plainText writes a default as a flag would take it.
func plainText(value *yaml.Node) string {
	if value.Kind != yaml.SequenceNode {
		return value.Value
	}
	items := make([]string, len(value.Content))
	for i, item := range value.Content {
		items[i] = item.Value
	}
	return strings.Join(items, ",")
}

// AddFlags adds a flag for every key to flags. Load takes from them those that
// were set.
func AddFlags(flags *pflag.FlagSet) {
	for _, k := range Keys() {
		flag := flags.VarPF(&flagText{text: k.Default, kind: k.kind}, k.Flag, "", k.Help)
		if k.kind == kindBool {
			flag.NoOptDefVal = "true" // --fence is enough
		}
	}
}

// flagText keeps a flag as text, for Load to decode as it decodes the other
// layers. pflag never reads it concurrently.
type flagText struct {
	text string
	set  bool
	kind kind
}

func (f *flagText) String() string { return f.text }
func (f *flagText) Type() string   { return string(f.kind) }

// Set keeps text. A list that is given more than once grows; anything else is
// what was given last.
func (f *flagText) Set(text string) error {
	if f.set && f.kind.several() {
		text = f.text + "," + text
	}
	f.text, f.set = text, true
	return nil
}
