// Package certificate makes certificates for tests: an authority, and pairs that it
// signs, in PEM files as a user would have them.
package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a certificate authority of its own. It may be used concurrently.
type Authority struct {
	// File has its certificate, in PEM.
	File string

	dir         string
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// Request says what a certificate is to say. The zero value is one for localhost
// and 127.0.0.1, for servers and clients, for a day.
type Request struct {
	// Names are its DNS names; nil: localhost and the address 127.0.0.1.
	Names []string
	// CommonName is the subject's; "" is steadis-test.
	CommonName string
	// Expired makes it one that was valid yesterday.
	Expired bool
}

// Pair is a certificate and its key, in files.
type Pair struct {
	CertFile, KeyFile string
	// Serial tells pairs apart.
	Serial *big.Int
}

// NewAuthority makes an authority whose files are in dir, under name.
func NewAuthority(dir, name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	a := &Authority{File: filepath.Join(dir, name+".pem"), dir: dir, key: key}
	if a.certificate, err = x509.ParseCertificate(signed); err != nil {
		return nil, err
	}
	return a, writePEM(a.File, "CERTIFICATE", signed)
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(fmt.Sprintf("no random numbers: %v", err)) // crypto/rand does not fail
	}
	return n
}

// Issued makes an authority and a pair of it, for localhost, in files that go with the test.
func Issued(t testing.TB, name string) (*Authority, Pair) {
	t.Helper()
	ca, err := NewAuthority(t.TempDir(), "ca")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(name, Request{})
	if err != nil {
		t.Fatal(err)
	}
	return ca, pair
}

// Issue makes a pair whose files are name.pem and name.key, in place of former ones.
// They are replaced one after the other, each at once.
func (a *Authority) Issue(name string, r Request) (Pair, error) {
	p := Pair{CertFile: filepath.Join(a.dir, name+".pem"), KeyFile: filepath.Join(a.dir, name+".key"), Serial: serial()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return p, err
	}
	if r.CommonName == "" {
		r.CommonName = "steadis-test"
	}
	template := &x509.Certificate{
		SerialNumber: p.Serial, Subject: pkix.Name{CommonName: r.CommonName}, DNSNames: r.Names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if r.Names == nil {
		template.DNSNames, template.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	if r.Expired {
		template.NotBefore, template.NotAfter = time.Now().Add(-30*time.Hour), time.Now().Add(-time.Hour)
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return p, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return p, err
	}
	if err := writePEM(p.CertFile, "CERTIFICATE", signed); err != nil {
		return p, err
	}
	return p, writePEM(p.KeyFile, "PRIVATE KEY", encoded)
}

// Pool has the authority's certificate.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// Client is what a client that trusts the authority connects with, with the pairs as
// its own certificates.
func (a *Authority) Client(own ...Pair) (*tls.Config, error) {
	c := &tls.Config{RootCAs: a.Pool(), ServerName: "localhost"}
	for _, p := range own {
		pair, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
		if err != nil {
			return nil, err
		}
		c.Certificates = append(c.Certificates, pair)
	}
	return c, nil
}

// writePEM puts a file in the place of a former one at once.
func writePEM(name, kind string, der []byte) error {
	var text bytes.Buffer
	if err := pem.Encode(&text, &pem.Block{Type: kind, Bytes: der}); err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", text.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
