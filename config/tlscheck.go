package config

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"time"
)

// tls checks what can be seen without the files.
func (v *validation) tls(c *Config) {
	t := c.TLS
	v.oneOf("tls.min_version", t.MinVersion, TLS12, TLS13)
	v.oneOf("tls.client_auth", t.ClientAuth, ClientAuthRequired, ClientAuthOptional)
	switch wanted := c.listensTLS(); {
	case t.CertFile == "" && wanted != "":
		v.against("listen", "tls.cert_file", "", "is not set, but listen has '"+wanted+"'; give the file of the certificate, or write the address without tls://")
	case t.CertFile == "" && t.ClientCAFile != "":
		v.against("tls.cert_file", "tls.client_ca_file", t.ClientCAFile, "has no certificate of steadis' own beside it; set tls.cert_file and tls.key_file too")
	}
	v.both("tls", t.CertFile, t.KeyFile)
	for _, s := range c.dialTLS() {
		v.oneOf(s.section+".min_version", s.tls.MinVersion, TLS12, TLS13)
		v.both(s.section, s.tls.CertFile, s.tls.KeyFile)
		if name := s.tls.ServerName; name != "" {
			if _, err := parseHost(name, false); err != nil || strings.Contains(name, ":") {
				v.add(s.section+".server_name", name, "is not a name that a certificate can be for; write for example redis.example.org")
			}
		}
	}
}

// both asks for a certificate and a key, or for none of them.
func (v *validation) both(section, certFile, keyFile string) {
	switch {
	case certFile != "" && keyFile == "":
		v.against(section+".key_file", section+".cert_file", certFile, "has no key beside it; set "+section+".key_file too")
	case keyFile != "" && certFile == "":
		v.against(section+".cert_file", section+".key_file", keyFile, "has no certificate beside it; set "+section+".cert_file too")
	}
}

// listensTLS gives the first address to listen on that asks for TLS, or "".
func (c *Config) listensTLS() string {
	all := c.Listeners()
	if i := slices.IndexFunc(all, ListensTLS); i >= 0 {
		return all[i]
	}
	return ""
}

// dialSection is one of the two sections of DialTLS.
type dialSection struct {
	section string
	tls     DialTLS
}

func (c *Config) dialTLS() []dialSection {
	return []dialSection{{"upstream_tls", c.UpstreamTLS}, {"sentinel_tls", c.SentinelTLS}}
}

// tlsFiles reads all files that TLS needs, for what is wrong with them and for warnings.
func (l *loader) tlsFiles(c *Config) []string {
	var warnings []string
	read := func(section, keyFile string, read func() (*tls.Config, error)) {
		made, err := read()
		var faults Faults
		if errors.As(err, &faults) {
			for _, fault := range faults {
				fault.Source = l.origins[fault.Key]
				l.faults = append(l.faults, fault)
			}
			return
		}
		warnings = append(warnings, tlsWarnings(section, keyFile, made, time.Now())...)
	}
	if len(c.TLS.Files()) > 0 {
		read("tls", c.TLS.KeyFile, c.TLS.Read)
	}
	for _, s := range c.dialTLS() {
		if s.tls.Enabled {
			read(s.section, s.tls.KeyFile, func() (*tls.Config, error) { return s.tls.Read(s.section) })
		}
	}
	return warnings
}

// unusedTLS says which files are named and not used.
func (c *Config) unusedTLS() []string {
	var warnings []string
	if c.TLS.CertFile != "" && c.listensTLS() == "" {
		warnings = append(warnings, "tls.cert_file is set, but no address in listen begins with tls://: clients are not encrypted; write for example tls://0.0.0.0:6380")
	}
	for _, s := range c.dialTLS() {
		if !s.tls.Enabled && (len(s.tls.Files()) > 0 || s.tls.ServerName != "") {
			warnings = append(warnings, s.section+".enabled is false, so the rest of "+s.section+" does not count and these connections are not encrypted; set it to true")
		}
	}
	return warnings
}
