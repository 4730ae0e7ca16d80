package config

import "fmt"

// Mask is what is shown in place of a secret that is set.
const Mask = "(set)"

// Secret is a password. Every way of printing it (String, %v, %#v, JSON, YAML, zap)
// gives Mask, or nothing if it is empty; only Reveal gives it away. The zero value
// is the empty secret. Compare secrets by what they reveal.
type Secret struct {
	// text is a pointer because fmt prints an unexported field of somebody's
	// struct without asking the methods below, and of a pointer prints the address.
	text *string
}

// NewSecret makes a secret of text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal gives the secret itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String gives Mask, or "" for an empty secret.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return Mask
}

// Format writes what String gives, whatever the verb is.
func (s Secret) Format(f fmt.State, _ rune) {
	// A Formatter has nowhere to report a failed write to; fmt itself ignores it too.
	_, _ = f.Write([]byte(s.String()))
}

// MarshalText serves encoding/json and everything else that asks for text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML serves go.yaml.in/yaml.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
