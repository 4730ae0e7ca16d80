package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"steadis/config"
	"steadis/test/fake"
	"steadis/test/topology"
)

// TestCheckWithoutSentinels: what check says of a name and of nodes.
func TestCheckWithoutSentinels(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d, err := topology.Start(ctx, topology.Options{Replicas: 1, Sentinels: -1, Password: "nodesecret", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	dns, err := fake.StartDNS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	_, port, err := net.SplitHostPort(d.Nodes[0].Addr())
	if err != nil {
		t.Fatal(err)
	}
	dns.Set("primary.test", "127.0.0.1")
	master, replica := d.Nodes[0].Addr(), d.Nodes[1].Addr()
	secret := []string{"STEADIS_UPSTREAM_PASSWORD=nodesecret", "STEADIS_LIMITS_CLIENTS=100", "STEADIS_LISTEN=127.0.0.1:0", "STEADIS_ADMIN="}
	for _, test := range []struct {
		args, want string
		code       int
		environ    []string
	}{
		{"--discovery static --address " + master + "," + replica, "NODE " + replica + "  replica", 0, secret},
		{"--discovery static --address " + master, "master " + strings.Repeat(" ", len(master)) + master, 0, secret},
		{"--discovery static --address " + replica, "nobody says that it is the master: " + replica + ": replica; give the address of the master", 1, secret},
		{"--discovery static --address " + master, "it refuses ROLE and INFO replication: NOAUTH", 1, secret[1:]},
		{"--discovery static --address " + master + " --upstream-password wrong", "set upstream.user and upstream.password", 1, secret[1:]},
		{"--discovery dns --dns-servers " + dns.Addr() + " --address primary.test:" + port, "leads to 127.0.0.1:" + port, 0, secret},
		{"--discovery dns --dns-servers " + dns.Addr() + " --address other.test:" + port, "other.test:" + port + " cannot be resolved", 1, secret},
		{"--json --discovery static --address " + master, `"role": "master"`, 0, secret},
	} {
		code, stdout, stderr := steadis(ctx, test.environ, append([]string{"check"}, strings.Fields(test.args)...)...)
		if code != test.code || !strings.Contains(squeeze(stdout), squeeze(test.want)) {
			t.Errorf("check %s ended with %d, want %d and %q:\n%s%s", test.args, code, test.code, test.want, stdout, stderr)
		}
	}
}

// TestNameOfTheServersCertificate: with discovery dns addresses are dialled, and the name is
// what the service's certificate is for.
func TestNameOfTheServersCertificate(t *testing.T) {
	for want, c := range map[string]config.Config{
		"primary.test": {Discovery: config.DiscoveryDNS},
		"other.test":   {Discovery: config.DiscoveryDNS, UpstreamTLS: config.DialTLS{ServerName: "other.test"}},
		"":             {Discovery: config.DiscoveryStatic},
	} {
		c.Address, c.UpstreamTLS.Enabled = []string{"primary.test:6379"}, true
		read, err := legSources(&c)[1].Read()
		if err != nil || read.ServerName != want {
			t.Errorf("got %+v, %v, want the name %q", read, err, want)
		}
	}
}

// squeeze makes one blank of several.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }
