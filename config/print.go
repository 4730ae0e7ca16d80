package config

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// YAML gives the effective configuration as a file, in the order of
// default.yaml, each value that is not the default with its origin as a comment.
// Secrets are masked; apart from them, what Load reads from it is l again.
func (l *Loaded) YAML() ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	sections := map[string]*yaml.Node{"": root}
	source := reflect.ValueOf(l.Config)
	for _, k := range Keys() {
		value := valueNode(source.FieldByIndex(k.index).Interface())
		name := &yaml.Node{Kind: yaml.ScalarNode, Value: k.Path[strings.LastIndexByte(k.Path, '.')+1:]}
		if origin := l.Origins[k.Path]; origin != "" {
			comment := "# from " + origin
			if value.Kind != yaml.ScalarNode && value.Style != yaml.FlowStyle {
				name.HeadComment = comment // a line comment would move below the entries
			} else {
				value.LineComment = comment
			}
		}
		section := sectionNode(sections, strings.TrimSuffix(strings.TrimSuffix(k.Path, name.Value), "."))
		section.Content = append(section.Content, name, value)
	}
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := cmp.Or(encoder.Encode(root), encoder.Close()); err != nil {
		return nil, fmt.Errorf("print the configuration: %w", err)
	}
	return text.Bytes(), nil
}

// sectionNode gives the mapping of a section, which it begins if need be. Sections
// are one level deep.
func sectionNode(sections map[string]*yaml.Node, name string) *yaml.Node {
	if node := sections[name]; node != nil {
		return node
	}
	node := &yaml.Node{Kind: yaml.MappingNode}
	sections[name] = node
	root := sections[""]
	root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, node)
	return node
}

func valueNode(value any) *yaml.Node {
	switch v := value.(type) {
	case []string:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, item := range v {
			list.Content = append(list.Content, textNode(item))
		}
		return list
	case Users:
		return valueNode(v.shown())
	case []Master:
		return mastersNode(v)
	case map[string]string:
		mapping := &yaml.Node{Kind: yaml.MappingNode}
		if len(v) == 0 {
			mapping.Style = yaml.FlowStyle
		}
		for _, from := range slices.Sorted(maps.Keys(v)) {
			mapping.Content = append(mapping.Content, textNode(from), textNode(v[from]))
		}
		return mapping
	case string:
		return textNode(v)
	case time.Duration:
		return plainNode(formatDuration(v))
	default: // int, Size, Secret
		return plainNode(fmt.Sprint(v))
	}
}

// textNode is quoted wherever YAML would otherwise read something else than text.
func textNode(text string) *yaml.Node {
	node := &yaml.Node{}
	node.SetString(text)
	if node.Style == 0 && (text == "" || strings.ContainsAny(text, ":")) {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}

// plainNode has text that YAML may read as whatever it likes: the loader takes it as written.
func plainNode(text string) *yaml.Node {
	if text == "" {
		return textNode("")
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: text}
}
