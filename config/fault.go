package config

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	// Key is the key as in the file, such as durable.replicas. For an unknown
	// key, the one that is unknown.
	Key string
	// Value is what was given, as text. Empty for secrets.
	Value string
	// Source says where it was given: "steadis.yaml, line 3", "STEADIS_HOLD",
	// "--hold". Empty if it is the default, or if it is missing.
	Source string
	// Problem says what is wrong and what to do, as the rest of a sentence that
	// begins with the key and the value.
	Problem string

	other string // the key that Key contradicts, if any
	whole bool   // Problem is a sentence of its own
}

// String gives the fault as one line for a person.
func (f Fault) String() string {
	if f.whole {
		return f.Problem
	}
	var line strings.Builder
	line.WriteString(f.Key)
	if f.Value != "" {
		fmt.Fprintf(&line, " '%s'", f.Value)
	}
	if f.Source != "" {
		fmt.Fprintf(&line, " (%s)", f.Source)
	}
	line.WriteString(" " + f.Problem)
	return line.String()
}

// Faults is everything that is wrong with a configuration: an error if it is not
// empty. Callers get it out of Load's error with errors.As.
type Faults []Fault

// Error gives every fault on a line of its own.
func (fs Faults) Error() string {
	if len(fs) == 1 {
		return "the configuration has a fault: " + fs[0].String()
	}
	var text strings.Builder
	fmt.Fprintf(&text, "the configuration has %d faults:", len(fs))
	for _, f := range fs {
		text.WriteString("\n  - " + f.String())
	}
	return text.String()
}

// unknownFault is about a key, variable or flag that nobody knows. what is "key"
// or "variable", where where it stands, nearest the name it may stand for.
func unknownFault(what, name, where, nearest string) Fault {
	text := fmt.Sprintf("unknown %s '%s'", what, name)
	if where != "" {
		text += " in " + where
	}
	if nearest != "" {
		text += fmt.Sprintf("; did you mean '%s'?", nearest)
	} else {
		text += "; `steadis config --default` lists the known ones"
	}
	return Fault{Key: name, Source: where, Problem: text, whole: true}
}
