// Package config holds what steadis can be told: one Config, decoded from the
// commented default file, a file of the user's, STEADIS_* variables and flags, in
// rising order of precedence.
//
// default.yaml is embedded and is the only place where a default stands. The
// keys, their variables, their flags and the flags' help are read from it and from
// Config's types, so that a key cannot be known to one layer and not to another.
//
// Loading is strict: a key nobody knows, a value of the wrong type and a value
// that contradicts another one are Faults, and all of them are reported at once.
// Config.Validate does no I/O; only Load reads files, and only those that it is
// told to.
//
// The package imports nothing else of steadis.
package config
