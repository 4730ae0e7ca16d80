package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// The values of ListenTLS.ClientAuth: what clients must show where there is a ClientCAFile.
const (
	ClientAuthRequired = "required" // a certificate
	ClientAuthOptional = "optional" // a certificate or none
)

// The values of MinVersion.
const (
	TLS12 = "1.2"
	TLS13 = "1.3"
)

// ListenTLS is about TLS on the addresses in Config.Listen that begin with tls://.
type ListenTLS struct {
	// CertFile has the certificate, and those between it and a well-known authority; PEM.
	CertFile string `key:"cert_file"`
	// KeyFile has its private key; PEM.
	KeyFile string `key:"key_file"`
	// ClientCAFile has the authorities that sign clients' certificates. Empty: none is asked for.
	ClientCAFile string `key:"client_ca_file"`
	// ClientAuth is ClientAuthRequired or ClientAuthOptional.
	ClientAuth string `key:"client_auth"`
	// MinVersion is TLS12 or TLS13.
	MinVersion string `key:"min_version"`
}

// DialTLS is about TLS on connections that steadis makes.
type DialTLS struct {
	// Enabled says that they are encrypted. Without it nothing else here counts.
	Enabled bool `key:"enabled"`
	// CAFile has the authorities that sign the servers' certificates. Empty: the system's.
	CAFile string `key:"ca_file"`
	// CertFile and KeyFile are what steadis shows of itself; both or none.
	CertFile string `key:"cert_file"`
	KeyFile  string `key:"key_file"`
	// ServerName is what the servers' certificates must be for. Empty: the host that is dialled.
	ServerName string `key:"server_name"`
	// MinVersion is TLS12 or TLS13.
	MinVersion string `key:"min_version"`
}

var versionNumbers = map[string]uint16{TLS12: tls.VersionTLS12, TLS13: tls.VersionTLS13}

// expiresSoon is how long before a certificate's end it is worth a warning.
const expiresSoon = 7 * 24 * time.Hour

// Files lists the files that are named, for who watches them.
func (t ListenTLS) Files() []string { return named(t.CertFile, t.KeyFile, t.ClientCAFile) }

// Files lists the files that are named, for who watches them.
func (t DialTLS) Files() []string { return named(t.CAFile, t.CertFile, t.KeyFile) }

func named(files ...string) []string {
	var all []string
	for _, file := range files {
		if file != "" {
			all = append(all, file)
		}
	}
	return all
}

// Read reads the files and makes of them what clients are served with. The error is
// Faults, of keys in section tls.
func (t ListenTLS) Read() (*tls.Config, error) {
	r := &tlsReader{section: "tls"}
	c := &tls.Config{
		MinVersion: versionNumbers[t.MinVersion],
		// Records of full size from the start: a record is a system call, and what is
		// written has a limit of its own.
		DynamicRecordSizingDisabled: true,
	}
	if pair := r.pair(t.CertFile, t.KeyFile); pair != nil {
		c.Certificates = []tls.Certificate{*pair}
	}
	if t.ClientCAFile != "" {
		c.ClientCAs = r.authorities("client_ca_file", t.ClientCAFile)
		c.ClientAuth = tls.RequireAndVerifyClientCert
		if t.ClientAuth == ClientAuthOptional {
			c.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	return r.result(c)
}

// Read reads the files and makes of them what to connect with; section is where t stands.
// The caller sets the ServerName for each connection if it is empty. The error is
// Faults.
func (t DialTLS) Read(section string) (*tls.Config, error) {
	r := &tlsReader{section: section}
	c := &tls.Config{
		MinVersion: versionNumbers[t.MinVersion], ServerName: t.ServerName, DynamicRecordSizingDisabled: true,
	}
	if t.CAFile != "" {
		c.RootCAs = r.authorities("ca_file", t.CAFile)
	}
	if pair := r.pair(t.CertFile, t.KeyFile); pair != nil {
		c.Certificates = []tls.Certificate{*pair}
		// Whatever authorities the server names: it says more about a certificate that it
		// does not like than about none.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	return r.result(c)
}

// tlsReader collects what is wrong with the files of one section.
type tlsReader struct {
	section string
	faults  Faults
}

func (r *tlsReader) add(key, file, problem string) {
	r.faults = append(r.faults, Fault{Key: r.section + "." + key, Value: file, Problem: problem})
}

func (r *tlsReader) result(c *tls.Config) (*tls.Config, error) {
	if len(r.faults) > 0 {
		return nil, r.faults
	}
	return c, nil
}

func (r *tlsReader) read(key, file string) (data []byte, ok bool) {
	data, err := readFile(file)
	if err != nil {
		r.add(key, file, fmt.Sprintf("cannot be read: %v", err))
	}
	return data, err == nil
}

// pair reads a certificate and its key; nil if there is none or it cannot be used.
func (r *tlsReader) pair(certFile, keyFile string) *tls.Certificate {
	if certFile == "" || keyFile == "" {
		return nil // none, or half of one, which Validate has reported
	}
	before := len(r.faults)
	cert, read := r.read("cert_file", certFile)
	if read && !hasBlock(cert, "CERTIFICATE") {
		r.add("cert_file", certFile, noCertificate)
	}
	key, read := r.read("key_file", keyFile)
	if problem := keyProblem(key); read && problem != "" {
		r.add("key_file", keyFile, problem)
	}
	if len(r.faults) > before {
		return nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
		return &pair
	case strings.Contains(err.Error(), "does not match"):
		r.add("key_file", keyFile, fmt.Sprintf("is not the key of %s.cert_file '%s'; give the key that this certificate was made for", r.section, certFile))
	default:
		r.add("cert_file", certFile, fmt.Sprintf("cannot be used: %v", err))
	}
	return nil
}

const noCertificate = "has no certificate in it; give a PEM file, with a line -----BEGIN CERTIFICATE-----"

func keyProblem(data []byte) string {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return "is encrypted, and there is nobody to ask for its passphrase; write it without one (openssl pkey -in ... -out ...)"
		case block.Type == "PRIVATE KEY" || strings.HasSuffix(block.Type, " PRIVATE KEY"):
			return ""
		}
	}
	return "has no private key in it; give a PEM file, with a line -----BEGIN PRIVATE KEY-----"
}

func hasBlock(data []byte, kind string) bool {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == kind {
			return true
		}
	}
	return false
}

// authorities reads the certificates of authorities. Every one of them must be sound: a
// bundle of which a part is lost would turn away who was let in.
func (r *tlsReader) authorities(key, file string) *x509.CertPool {
	data, read := r.read(key, file)
	if !read {
		return nil
	}
	pool := x509.NewCertPool()
	some := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			r.add(key, file, fmt.Sprintf("has a certificate in it that cannot be read: %v", err))
			return nil
		}
		pool.AddCert(certificate)
		some = true
	}
	if !some || bytes.Count(data, []byte("-----BEGIN ")) > bytes.Count(data, []byte("-----END ")) {
		r.add(key, file, noCertificate)
		return nil
	}
	return pool
}

// tlsWarnings says what is allowed with the files of a section and probably not meant.
// They have been read without a fault.
func tlsWarnings(section, keyFile string, c *tls.Config, now time.Time) []string {
	var warnings []string
	if info, err := os.Stat(keyFile); keyFile != "" && err == nil && info.Mode().Perm()&0o004 != 0 {
		warnings = append(warnings, fmt.Sprintf("%s.key_file '%s' can be read by every user of this machine (mode %s); chmod o-r it", section, keyFile, modeText(info.Mode())))
	}
	for _, pair := range c.Certificates {
		switch end := pair.Leaf.NotAfter; {
		case now.After(end):
			warnings = append(warnings, fmt.Sprintf("%s.cert_file: the certificate has expired on %s; put a new one in its place, it is taken without a restart", section, end.UTC().Format(time.DateOnly)))
		case now.Add(expiresSoon).After(end):
			warnings = append(warnings, fmt.Sprintf("%s.cert_file: the certificate expires on %s; put a new one in its place, it is taken without a restart", section, end.UTC().Format(time.DateTime)))
		}
	}
	return warnings
}

func modeText(mode fs.FileMode) string { return fmt.Sprintf("%04o", mode.Perm()) }
