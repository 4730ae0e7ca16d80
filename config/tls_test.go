package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"steadis/test/certificate"
)

// tlsDir is a directory with certificates of all kinds.
func tlsDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ca, err := certificate.NewAuthority(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	for name, request := range map[string]certificate.Request{"a": {}, "b": {}, "old": {Expired: true}} {
		if _, err := ca.Issue(name, request); err != nil {
			t.Fatal(err)
		}
	}
	write("empty", "")
	write("garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	whole, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	write("cut.pem", string(whole)+string(whole[:len(whole)/2]))
	return dir
}

func TestTLSFaults(t *testing.T) {
	dir := tlsDir(t)
	tests := []struct {
		args, want string
	}{
		{"--listen tls://:6380", "tls.cert_file is not set, but listen has 'tls://:6380'"},
		{"--listen tls://6380 --tls-cert-file $/a.pem --tls-key-file $/a.key", "listen 'tls://6380' (--listen) has no port"},
		{"--listen rediss://:6380", "listen 'rediss://:6380' (--listen) is a URL"},
		{"--tls-cert-file $/a.pem", "tls.cert_file 'a.pem' (--tls-cert-file) has no key beside it; set tls.key_file too"},
		{"--tls-key-file $/a.key", "tls.key_file 'a.key' (--tls-key-file) has no certificate beside it; set tls.cert_file too"},
		{"--tls-client-ca-file $/ca.pem", "tls.client_ca_file 'ca.pem' (--tls-client-ca-file) has no certificate of steadis' own beside it"},
		{"--tls-cert-file $/none.pem --tls-key-file $/a.key", "tls.cert_file 'none.pem' (--tls-cert-file) cannot be read: open none.pem: no such file"},
		{"--tls-cert-file $/a.pem --tls-key-file $/none.key", "tls.key_file 'none.key' (--tls-key-file) cannot be read"},
		{"--tls-cert-file $/a.pem --tls-key-file $/b.key", "tls.key_file 'b.key' (--tls-key-file) is not the key of tls.cert_file 'a.pem'; give the key"},
		{"--tls-cert-file $/empty --tls-key-file $/a.key", "tls.cert_file 'empty' (--tls-cert-file) has no certificate in it"},
		{"--tls-cert-file $/a.pem --tls-key-file $/a.pem", "tls.key_file 'a.pem' (--tls-key-file) has no private key in it"},
		{"--tls-cert-file $/a.pem --tls-key-file $/locked.key", "is encrypted, and there is nobody to ask for its passphrase"},
		{"--tls-cert-file $/garbage --tls-key-file $/a.key", "tls.cert_file 'garbage' (--tls-cert-file) cannot be used"},
		{"--tls-cert-file $/a.pem --tls-key-file $/a.key --tls-client-ca-file $/a.key", "tls.client_ca_file 'a.key' (--tls-client-ca-file) has no certificate in it"},
		{"--tls-cert-file $/a.pem --tls-key-file $/a.key --tls-client-ca-file $/garbage", "has a certificate in it that cannot be read"},
		{"--tls-cert-file $/a.pem --tls-key-file $/a.key --tls-client-ca-file $/cut.pem", "has no certificate in it"},
		{"--tls-min-version 1.1", "tls.min_version '1.1' (--tls-min-version) is not one of 1.2, 1.3"},
		{"--tls-client-auth yes", "tls.client_auth 'yes' (--tls-client-auth) is not one of required, optional"},
		{"--upstream-tls-enabled --upstream-tls-ca-file $/none.pem", "upstream_tls.ca_file 'none.pem' (--upstream-tls-ca-file) cannot be read"},
		{"--upstream-tls-enabled --upstream-tls-cert-file $/a.pem", "upstream_tls.cert_file 'a.pem' (--upstream-tls-cert-file) has no key beside it"},
		{"--upstream-tls-server-name a:1", "upstream_tls.server_name 'a:1' (--upstream-tls-server-name) is not a name"},
		{"--upstream-tls-min-version 2", "upstream_tls.min_version '2' (--upstream-tls-min-version) is not one of"},
		{"--sentinel-tls-enabled --sentinel-tls-cert-file $/a.pem --sentinel-tls-key-file $/b.key", "sentinel_tls.key_file 'b.key' (--sentinel-tls-key-file) is not the key of sentinel_tls.cert_file 'a.pem'"},
		{"--unix-mode 0999", "unix_mode '0999' (--unix-mode) is not a mode of a file"},
		{"--unix-mode 0570", "unix_mode '0570' (--unix-mode) does not let its owner write"},
		{"--unix-mode rwx", "is not a mode of a file; write three octal digits such as 0770"},
		{"--proxy-protocol true", "proxy_protocol 'true' (--proxy-protocol) is not an address or a network; write for example 10.0.0.7"},
		{"--proxy-protocol 10.0.0.0/33", "is not a network"},
		{"--proxy-protocol 10.0.0.1/8", "has bits set beyond its length; write 10.0.0.0/8"},
	}
	for _, test := range tests {
		_, got := load(t, given{args: strings.Fields(strings.ReplaceAll(test.args, "$", dir))})
		got = strings.ReplaceAll(got, dir+"/", "")
		if !strings.Contains(got, test.want) || strings.Contains(got, "\n") {
			t.Errorf("%s:\ngot  %s\nwant %s", test.args, got, test.want)
		}
	}
}

// TestTLSFaultsAtOnce: all that is wrong with three sections is told in one go.
func TestTLSFaultsAtOnce(t *testing.T) {
	dir := tlsDir(t)
	_, got := load(t, given{args: []string{
		"--listen", "tls://:1", "--tls-cert-file", dir + "/no.pem", "--tls-key-file", dir + "/empty", "--tls-client-ca-file", dir + "/garbage",
		"--upstream-tls-enabled", "--upstream-tls-ca-file", dir + "/no-ca.pem", "--sentinel-tls-enabled", "--sentinel-tls-key-file", dir + "/a.key", "--hold", "0",
	}})
	for _, want := range []string{"6 faults", "tls.cert_file '", "tls.client_ca_file '", "upstream_tls.ca_file '", "sentinel_tls.key_file '", "hold '0s'", "empty"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing from\n%s", want, got)
		}
	}
}

func TestTLSWarnings(t *testing.T) {
	dir := tlsDir(t)
	if err := os.Chmod(dir+"/a.key", 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ args, want string }{
		{"--listen tls://:1 --tls-cert-file $/a.pem --tls-key-file $/a.key", "can be read by every user of this machine (mode 0644); chmod o-r it"},
		{"--listen tls://:1 --tls-cert-file $/old.pem --tls-key-file $/old.key", "the certificate has expired on "},
		{"--listen tls://:1 --tls-cert-file $/b.pem --tls-key-file $/b.key", "the certificate expires on "},
		{"--tls-cert-file $/b.pem --tls-key-file $/b.key", "no address in listen begins with tls://"},
		{"--upstream-tls-ca-file $/ca.pem", "upstream_tls.enabled is false"},
		{"--sentinel-tls-server-name s", "sentinel_tls.enabled is false"},
	}
	for _, test := range tests {
		loaded := mustLoad(t, given{args: strings.Fields(strings.ReplaceAll(test.args, "$", dir))})
		if got := strings.Join(loaded.Warnings(), "\n"); !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.args, got, test.want)
		}
	}
}

func TestTLSRead(t *testing.T) {
	dir := tlsDir(t)
	server, err := ListenTLS{CertFile: dir + "/a.pem", KeyFile: dir + "/a.key", ClientCAFile: dir + "/ca.pem", ClientAuth: ClientAuthOptional, MinVersion: TLS13}.Read()
	if err != nil {
		t.Fatal(err)
	}
	if server.MinVersion != tls.VersionTLS13 || server.ClientAuth != tls.VerifyClientCertIfGiven || len(server.Certificates) != 1 || server.ClientCAs == nil {
		t.Errorf("got %+v", server)
	}
	client, err := DialTLS{Enabled: true, CAFile: dir + "/ca.pem", ServerName: "localhost", MinVersion: TLS12}.Read("upstream_tls")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(dir + "/a.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: client.RootCAs, DNSName: client.ServerName}); err != nil {
		t.Error(err)
	}
}

func TestProxySenders(t *testing.T) {
	all := (&Config{ProxyProtocol: []string{"*"}}).ProxySenders()
	some := (&Config{ProxyProtocol: []string{"10.0.0.7", "2001:db8::/32"}}).ProxySenders()
	if !all.Unix || len(all.Networks) != 2 || some.Unix || len(some.Networks) != 2 || some.Networks[0].Bits() != 32 {
		t.Errorf("%+v, %+v", all, some)
	}
}
