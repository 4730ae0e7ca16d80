package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Change is one key that differs between two configurations.
type Change struct {
	// Key is the key's path, such as limits.clients.
	Key string `json:"key"`
	// From and To are the values as a flag would take them; of secrets, Mask or nothing.
	From string `json:"from"`
	To   string `json:"to"`
}

// String gives the change in a few words for a person.
func (c Change) String() string { return fmt.Sprintf("%s: '%s' -> '%s'", c.Key, c.From, c.To) }

// Changes gives every key that differs between two configurations, in the order of
// default.yaml. A file with a secret differs from itself if its content has changed.
func Changes(from, to *Config) []Change {
	var changes []Change
	before, after := reflect.ValueOf(from).Elem(), reflect.ValueOf(to).Elem()
	for _, k := range Keys() {
		a, b := before.FieldByIndex(k.index).Interface(), after.FieldByIndex(k.index).Interface()
		change := Change{Key: k.Path, From: valueText(a), To: valueText(b)}
		switch {
		case !sameValue(a, b):
		case !sameRead(k.Path, from, to):
			change.To += " (other content)"
		default:
			continue
		}
		changes = append(changes, change)
	}
	return changes
}

// With gives a copy of c with the values that from has for keys; of masters it takes the
// holds alone, which is all that can change while they are served.
func (c *Config) With(from *Config, keys func(path string) bool) *Config {
	merged := *c
	source, target := reflect.ValueOf(from).Elem(), reflect.ValueOf(&merged).Elem()
	for _, k := range Keys() {
		if keys(k.Path) {
			target.FieldByIndex(k.index).Set(source.FieldByIndex(k.index))
			if k.Path == "masters" {
				merged.Masters = withHolds(c.Masters, from.Masters)
			}
			if read := merged.secretOf(k.Path); read != nil {
				*read = *from.secretOf(k.Path)
			}
			if k.Path == "users_file" {
				merged.usersFromFile = from.usersFromFile
			}
		}
	}
	return &merged
}

// secretOf gives the place of what Load read from the file that a key names; nil for all
// other keys.
func (c *Config) secretOf(path string) *Secret {
	switch path {
	case "admin_token_file":
		return &c.tokenFromFile
	case "sentinel_auth.password_file":
		return &c.SentinelAuth.fromFile
	case "upstream.password_file":
		return &c.Upstream.fromFile
	}
	return nil
}

// sameRead says whether Load read the same from the file that a key names, if it names one.
func sameRead(path string, a, b *Config) bool {
	if path == "users_file" {
		return sameValue(a.usersFromFile, b.usersFromFile)
	}
	secret := a.secretOf(path)
	return secret == nil || sameValue(*secret, *b.secretOf(path))
}

func sameValue(a, b any) bool {
	if secret, ok := a.(Secret); ok {
		other, ok := b.(Secret)
		return ok && secret.Reveal() == other.Reveal()
	}
	return reflect.DeepEqual(a, b)
}

// valueText gives a value as a flag would take it.
func valueText(value any) string {
	switch v := value.(type) {
	case []string:
		return strings.Join(v, ",")
	case Users:
		return valueText(v.shown())
	case []Master:
		texts := make([]string, len(v))
		for i, m := range v {
			texts[i] = m.String()
		}
		return strings.Join(texts, ",")
	case map[string]string:
		pairs := make([]string, 0, len(v))
		for _, from := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, from+"="+v[from])
		}
		return strings.Join(pairs, ",")
	case time.Duration:
		return formatDuration(v)
	default:
		return fmt.Sprint(v)
	}
}
