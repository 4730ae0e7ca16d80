package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// FileVariable names the configuration file where no --config does.
const FileVariable = EnvPrefix + "CONFIG"

// Input is where a configuration is loaded from. The zero value gives the defaults.
type Input struct {
	// File is the configuration file. Empty: what STEADIS_CONFIG names, or none.
	File string
	// Environ is the environment as os.Environ gives it.
	Environ []string
	// Flags are flags made by AddFlags, after parsing. Other flags in it are left alone.
	Flags *pflag.FlagSet
	// NeedDeployment makes it a fault if sentinel or master is not set.
	NeedDeployment bool
	// Choose is for what is about one master: where masters names several, master chooses
	// one of them, and what is loaded is about that one alone (Config.PerMaster).
	Choose bool
}

// Loaded is a valid configuration and where each value comes from.
type Loaded struct {
	Config
	// Origins maps a key's path to where its value was given: "steadis.yaml,
	// line 3", "STEADIS_HOLD" or "--hold". Defaults are not in it.
	Origins map[string]string

	warnings []string // about the files that Load has read
}

// Load reads all layers, decodes and validates them. An error is Faults, every
// one of them, and means that the configuration must be corrected. Apart from the
// configuration file and the files that it names it reads nothing and changes nothing.
func Load(in Input) (*Loaded, error) {
	l := &loader{in: in, merged: koanf.New("."), origins: map[string]string{}}
	l.file("the built-in defaults", DefaultYAML)
	clear(l.origins)
	l.userFile()
	l.environ()
	l.flags()

	loaded := &Loaded{Origins: l.origins}
	broken := l.decode(&loaded.Config)
	l.masters(&loaded.Config)
	if !l.usersFile(&loaded.Config) {
		broken["users_file"] = true
	}
	found := loaded.Validate()
	if in.NeedDeployment {
		found = append(found, loaded.missing()...)
	}
	for _, fault := range found {
		// What could not be read holds its default here, about which there
		// is nothing to be said.
		if !broken[fault.Key] && !broken[fault.other] {
			fault.Source = l.origins[fault.Key]
			l.faults = append(l.faults, fault)
		}
	}
	for _, s := range []struct {
		section string
		auth    *Auth
	}{{"sentinel_auth", &loaded.SentinelAuth}, {"upstream", &loaded.Upstream.Auth}} {
		s.auth.fromFile = l.secretFile(s.section+".password_file", "password", s.auth.PasswordFile, s.auth.Password)
	}
	loaded.warnings = l.tlsFiles(&loaded.Config)
	loaded.tokenFromFile = l.secretFile("admin_token_file", "token", loaded.AdminTokenFile, loaded.AdminToken)
	if len(l.faults) > 0 {
		return nil, l.faults
	}
	return loaded, nil
}

// loader is one run of Load.
type loader struct {
	in      Input
	merged  *koanf.Koanf // key path -> string, []string or []Master of the highest layer
	origins map[string]string
	faults  Faults
}

func (l *loader) load(provider koanf.Provider, parser koanf.Parser) {
	if err := l.merged.Load(provider, parser); err != nil {
		l.faults = append(l.faults, Fault{Problem: err.Error(), whole: true})
	}
}

func (l *loader) file(name string, data []byte) {
	parser := &strictFile{name: name}
	l.load(rawbytes.Provider(data), parser)
	l.faults = append(l.faults, parser.faults...)
	for path, where := range parser.origins {
		if knownKeys().byPath[path] != nil {
			l.origins[path] = where
		}
	}
}

func (l *loader) userFile() {
	name := l.in.File
	for _, variable := range l.in.Environ {
		if value, found := strings.CutPrefix(variable, FileVariable+"="); found && name == "" {
			name = value
		}
	}
	if name == "" {
		return
	}
	data, err := readFile(name)
	if err != nil {
		problem := fmt.Sprintf("cannot read the configuration file: %v", err)
		if errors.Is(err, fs.ErrNotExist) {
			problem = fmt.Sprintf("the configuration file %s does not exist; `steadis config --default > %s` writes one", name, filepath.Base(name))
		}
		l.faults = append(l.faults, Fault{Source: name, Problem: problem, whole: true})
		return
	}
	l.file(name, data)
}

// serviceLink matches the variables that Kubernetes sets in every pod of a
// namespace for a Service that is called steadis or steadis-something. They are not
// ours, and nobody can keep Kubernetes from setting them but by enableServiceLinks: false.
var serviceLink = regexp.MustCompile(`^STEADIS_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)=|PORT=(tcp|udp|sctp)://|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=)`)

func (l *loader) environ() {
	byVariable := map[string]string{}
	for _, k := range Keys() {
		byVariable[k.Env] = k.Path
	}
	accept := func(name, value string) (string, any) {
		path, found := byVariable[name]
		switch {
		case found:
			l.origins[path] = name
			return path, value
		case name != FileVariable && !serviceLink.MatchString(name+"="+value):
			l.faults = append(l.faults, unknownFault("variable", name, "", nearestVariable(name)))
		}
		return "", nil
	}
	l.load(env.Provider(".", env.Opt{
		Prefix:        EnvPrefix,
		TransformFunc: accept,
		EnvironFunc:   func() []string { return l.in.Environ },
	}), nil)
}

func (l *loader) flags() {
	if l.in.Flags == nil {
		return
	}
	byFlag := map[string]string{}
	for _, k := range Keys() {
		byFlag[k.Flag] = k.Path
	}
	accept := func(f *pflag.Flag) (string, any) {
		path := byFlag[f.Name] // "" makes koanf leave the flag alone
		if path != "" && f.Changed {
			l.origins[path] = "--" + f.Name
		}
		return path, f.Value.String()
	}
	l.load(posflag.ProviderWithFlag(l.in.Flags, ".", nil, accept), nil)
}

// masters makes sense of masters beside the keys for one master alone.
func (l *loader) masters(c *Config) {
	if c.Several() && l.origins["listen"] == "" {
		c.Listen = []string{} // the default is for one
	}
	if !l.in.Choose {
		return
	}
	if problem := c.choose(l.in.NeedDeployment); problem != "" {
		l.faults = append(l.faults, Fault{Key: "master", Value: c.Master, Source: l.origins["master"], Problem: problem})
		c.Master = c.Masters[0].Name // of which nothing else is to be said
		_ = c.choose(false)
	}
}

// decode sets every field of c from the merged texts and returns the keys whose
// text could not be read; those get their defaults.
func (l *loader) decode(c *Config) map[string]bool {
	broken := map[string]bool{}
	target := reflect.ValueOf(c).Elem()
	for _, k := range Keys() {
		raw := l.merged.Get(k.Path)
		value, err := k.decode(raw)
		if err != nil {
			broken[k.Path] = true
			shown := rawText(raw)
			if k.kind.secret() {
				shown = ""
			}
			l.faults = append(l.faults, Fault{Key: k.Path, Value: shown, Source: l.origins[k.Path], Problem: err.Error()})
			if value, err = k.decode(k.Default); err != nil {
				continue // default.yaml is at fault, which was reported with its line
			}
		}
		target.FieldByIndex(k.index).Set(reflect.ValueOf(value))
	}
	return broken
}

// decode turns the text, or the list of texts, into a value of the field's type.
func (k Key) decode(raw any) (any, error) {
	text, isText := raw.(string)
	items, isList := raw.([]string)
	if masters, areMasters := raw.([]Master); areMasters {
		return masters, nil // of a file
	}
	if !isText && !isList {
		return nil, errors.New("has no value")
	}
	if !isList && k.kind.several() {
		var err error
		if items, err = decodeList(text); err != nil {
			return nil, err
		}
	}
	switch k.kind {
	case kindSecret:
		return NewSecret(text), nil
	case kindInt:
		return decodeInt(text)
	case kindBool:
		return decodeBool(text)
	case kindDuration:
		return decodeDuration(text)
	case kindSize:
		return ParseSize(text)
	case kindList:
		return items, nil
	case kindPairs:
		return decodePairs(items)
	case kindUsers:
		return decodeUsers(items)
	case kindMasters:
		return decodeMasters(items)
	default:
		return text, nil
	}
}

func rawText(raw any) string {
	if items, isList := raw.([]string); isList {
		return strings.Join(items, ",")
	}
	text, _ := raw.(string)
	return text
}

// secretFile reads the file that key names, which holds a secret of one line: what.
func (l *loader) secretFile(key, what, path string, given Secret) Secret {
	if path == "" || given.Reveal() != "" {
		return Secret{} // none, or one too many, which Validate has reported
	}
	data, err := readFile(path)
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	problem := ""
	switch {
	case err != nil:
		problem = fmt.Sprintf("cannot be read: %v", err)
	case text == "":
		problem = "is an empty file; put the " + what + " in it, on one line"
	case strings.ContainsAny(text, "\r\n"):
		problem = "has more than one line; put only the " + what + " in it"
	}
	if problem != "" {
		l.faults = append(l.faults, Fault{Key: key, Value: path, Source: l.origins[key], Problem: problem})
		return Secret{}
	}
	return NewSecret(text)
}
