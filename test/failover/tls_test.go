package failover

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"steadis/test/certificate"
	"steadis/test/topology"
	"steadis/test/workload"
	"steadis/test/workload/wire"
)

// secured is a deployment that speaks TLS only and asks everybody for a certificate, with
// a steadis before it that does the same.
type secured struct {
	t       *testing.T
	ca      *certificate.Authority
	d       *topology.Deployment
	steadis *topology.Steadis
	addr    string // where it speaks TLS
	client  *tls.Config
}

// pairs are the certificates of a secured deployment.
var pairs = []string{"redis", "server", "steadis", "user"}

func startSecured(t *testing.T) *secured {
	t.Helper()
	program.Path(t) // built before its start is timed
	s := &secured{t: t}
	dir := t.TempDir()
	var err error
	s.ca, err = certificate.NewAuthority(dir, "ca")
	must(t, err)
	files := map[string]certificate.Pair{}
	for _, name := range pairs {
		files[name] = s.issue(name)
	}
	s.client, err = s.ca.Client(files["user"])
	must(t, err)
	redis := files["redis"]
	s.d = startDeployment(t, topology.Options{TLS: &topology.TLS{
		CertFile: redis.CertFile, KeyFile: redis.KeyFile, CAFile: s.ca.File, AskClients: true, Client: s.client,
	}})
	s.addr, err = topology.FreeAddr()
	must(t, err)
	s.steadis = startSteadis(t, s.d.SentinelAddrs(), append(s.dialArgs(files["steadis"]), "--in-doubt", "error",
		"--listen", "tls://"+s.addr, "--tls-cert-file", files["server"].CertFile, "--tls-key-file", files["server"].KeyFile,
		"--tls-client-ca-file", s.ca.File)...)
	return s
}

func (s *secured) issue(name string) certificate.Pair {
	s.t.Helper()
	pair, err := s.ca.Issue(name, certificate.Request{CommonName: name})
	must(s.t, err)
	return pair
}

// dialArgs are the flags of both legs that steadis dials, with its own pair.
func (s *secured) dialArgs(own certificate.Pair) []string {
	var args []string
	for _, leg := range []string{"--upstream-tls-", "--sentinel-tls-"} {
		args = append(args, leg+"enabled", leg+"ca-file", s.ca.File, leg+"cert-file", own.CertFile, leg+"key-file", own.KeyFile)
	}
	return args
}

func (s *secured) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&tls.Dialer{Config: s.client}).DialContext(ctx, network, addr)
}

func (s *secured) load(ctx context.Context) *workload.Load {
	s.t.Helper()
	load, err := workload.Start(ctx, workload.Options{Addr: s.addr, Dial: s.dial, Pause: time.Millisecond})
	must(s.t, err)
	return load
}

// shown is the serial number of the certificate that a new client is shown.
func (s *secured) shown(ctx context.Context) (*big.Int, error) {
	nc, err := s.dial(ctx, "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	return nc.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber, nil
}

func (s *secured) awaitShown(ctx context.Context, want *big.Int) {
	s.t.Helper()
	poll(ctx, s.t, "the new certificate to be shown", func() error {
		got, err := s.shown(ctx)
		if err == nil && got.Cmp(want) != 0 {
			err = errors.New("it is another one")
		}
		return err
	})
}

// awaitLog waits until a line is in steadis' log n times.
func (s *secured) awaitLog(ctx context.Context, line string, n int) {
	s.t.Helper()
	poll(ctx, s.t, fmt.Sprintf("%d lines %q", n, line), func() error {
		text, err := os.ReadFile(s.steadis.Log())
		if got := strings.Count(string(text), line); err == nil && got < n {
			err = fmt.Errorf("%d so far", got)
		}
		return err
	})
}

// rotate renews every certificate under load, the processes' own as well, and has a file
// half-written on the way.
func (s *secured) rotate(ctx context.Context, load *workload.Load) {
	s.t.Helper()
	s.awaitShown(ctx, s.issue("server").Serial)
	s.issue("steadis")
	s.awaitLog(ctx, "TLS files were read again", 3)
	awaitProgress(ctx, s.t, load, 100)

	next := s.issue("server")
	whole, err := os.ReadFile(next.CertFile)
	must(s.t, err)
	must(s.t, os.WriteFile(next.CertFile, whole[:len(whole)/2], 0o600))
	s.awaitLog(ctx, "cannot be used; the former ones stay", 1)
	_, err = s.shown(ctx)
	must(s.t, err)
	must(s.t, os.WriteFile(next.CertFile, whole, 0o600))
	s.awaitShown(ctx, next.Serial)

	s.issue("redis")
	for _, n := range s.d.Nodes {
		_, err := n.Do(ctx, "CONFIG", "SET", "tls-cert-file", filepath.Join(filepath.Dir(s.ca.File), "redis.pem"),
			"tls-key-file", filepath.Join(filepath.Dir(s.ca.File), "redis.key"))
		must(s.t, err)
	}
	for _, n := range s.d.Sentinels {
		must(s.t, n.Kill())
		must(s.t, n.Restart(ctx))
	}
	must(s.t, s.d.AwaitSettled(ctx))
	awaitProgress(ctx, s.t, load, 100)
}

// TestTLS: TLS with certificates of both sides on all three legs. Renewed under load, then a
// planned failover, then a kill -9: no error, no connection dropped.
func TestTLS(t *testing.T) {
	ctx := within(t, 5*time.Minute)
	s := startSecured(t)
	load := s.load(ctx)
	awaitProgress(ctx, t, load, 100)
	s.rotate(ctx, load)
	old, err := s.d.Master(ctx)
	must(t, err)
	must(t, s.d.Failover(ctx))
	_, err = s.d.AwaitMajority(ctx, old.Addr())
	must(t, err)
	awaitProgress(ctx, t, load, 200)
	audit, err := load.Stop(20*time.Second).Audit(ctx, workload.Source{Addr: s.addr, Dial: s.dial})
	must(t, err)
	if !audit.Flawless() || len(audit.Errors) > 0 {
		t.Errorf("rotation and SENTINEL FAILOVER: %v", audit)
	}
	measured.record(t, "TLS on three legs: certificates renewed under load, then SENTINEL FAILOVER", "0 errors, 0 dropped, 0 lost", "%v", audit)

	must(t, s.d.AwaitSettled(ctx))
	load = s.load(ctx)
	awaitProgress(ctx, t, load, 100)
	old, err = s.d.Master(ctx)
	must(t, err)
	must(t, old.Kill())
	_, err = s.d.AwaitMajority(ctx, old.Addr())
	must(t, err)
	awaitProgress(ctx, t, load, 200)
	audit, err = load.Stop(20*time.Second).Audit(ctx, workload.Source{Addr: s.addr, Dial: s.dial})
	must(t, err)
	delete(audit.Errors, "INDOUBT")
	if audit.Dropped+audit.Doubled+audit.Reordered+audit.RefusedPresent > 0 || len(audit.Errors) > 0 {
		t.Errorf("kill -9: %v", audit)
	}
	measured.record(t, "TLS on three legs: kill -9 of the master", "0 dropped, 0 doubled", "%v", audit)
	s.programs(ctx)
}

// programs runs check and drill against the deployment, with what it needs and without.
func (s *secured) programs(ctx context.Context) {
	t := s.t
	t.Helper()
	must(t, s.d.Mend(ctx))
	must(t, s.d.Demote(ctx))
	must(t, s.d.AwaitSettled(ctx))
	user, dir := s.issue("user"), filepath.Dir(s.ca.File)
	deployment := []string{"--sentinel", s.d.SentinelAddrs(), "--master", "mymaster"}
	stranger, err := certificate.NewAuthority(t.TempDir(), "stranger")
	must(t, err)
	run := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, program.Path(t), args...).CombinedOutput()
		return string(out), err
	}
	check := append([]string{"check", "--listen", "127.0.0.1:0", "--admin", ""}, deployment...)
	if out, err := run(append(check, s.dialArgs(user)...)...); err != nil {
		t.Errorf("check: %v\n%s", err, out)
	}
	for what, tt := range map[string]struct {
		args []string
		want string
	}{
		"a wrong CA":           {append(s.dialArgs(user), "--sentinel-tls-ca-file", stranger.File), "set ca_file to the authority"},
		"a wrong name":         {append(s.dialArgs(user), "--sentinel-tls-server-name", "elsewhere.example"), "set server_name to a name"},
		"a node's wrong CA":    {append(s.dialArgs(user), "--upstream-tls-ca-file", stranger.File), "set ca_file to the authority"},
		"no TLS":               {nil, ""},
		"no certificate":       {[]string{"--sentinel-tls-enabled", "--sentinel-tls-ca-file", s.ca.File}, "certificate required"},
		"a key that is absent": {append(s.dialArgs(user), "--upstream-tls-key-file", dir+"/none.key"), "upstream_tls.key_file '" + dir + "/none.key' (--upstream-tls-key-file) cannot be read"},
	} {
		if out, err := run(append(append([]string{}, check...), tt.args...)...); err == nil || !strings.Contains(out, tt.want) {
			t.Errorf("check with %s: %v, want %q:\n%s", what, err, tt.want, out)
		}
	}
	drill := append([]string{"drill", "--yes", "--addr", "tls://" + s.addr, "--addr-ca-file", s.ca.File, "--addr-cert-file", user.CertFile,
		"--addr-key-file", user.KeyFile, "--lead", "1s", "--trail", "1s", "--rate", "200", "--out", t.TempDir()}, deployment...)
	// That it plays and reads back is looked at, not whether it passes: what steadis is worth
	// was measured above, and a busy machine loses writes to replication.
	if out, err := run(append(drill, s.dialArgs(user)...)...); !strings.Contains(out, "The master was switched over once while 8 clients wrote") {
		t.Errorf("drill: %v\n%s", err, out)
	}
}

// TestTLSRefusesClients: who has no certificate, or speaks no TLS or too old a one, is no
// client; the others do not notice.
func TestTLSRefusesClients(t *testing.T) {
	ctx := within(t, 2*time.Minute)
	dir := t.TempDir()
	ca, err := certificate.NewAuthority(dir, "ca")
	must(t, err)
	stranger, err := certificate.NewAuthority(t.TempDir(), "stranger")
	must(t, err)
	issue := func(a *certificate.Authority, name string, r certificate.Request) certificate.Pair {
		pair, err := a.Issue(name, r)
		must(t, err)
		return pair
	}
	server, user := issue(ca, "server", certificate.Request{}), issue(ca, "user", certificate.Request{})
	d := startDeployment(t, topology.Options{})
	addr, err := topology.FreeAddr()
	must(t, err)
	socket := filepath.Join(dir, "s")
	startSteadis(t, d.SentinelAddrs(), "--listen", "tls://"+addr+",unix:"+socket, "--unix-mode", "0660", "--tls-cert-file", server.CertFile,
		"--tls-key-file", server.KeyFile, "--tls-client-ca-file", ca.File, "--tls-min-version", "1.3")
	info, err := os.Stat(socket)
	must(t, err)
	if info.Mode().Perm() != 0o660 {
		t.Errorf("the Unix socket has the mode %v", info.Mode())
	}
	config := func(a *certificate.Authority, change func(*tls.Config), own ...certificate.Pair) *tls.Config {
		c, err := a.Client(own...)
		must(t, err)
		if change != nil {
			change(c)
		}
		return c
	}
	for _, tt := range []struct {
		name   string
		config *tls.Config
		good   bool
	}{
		{"a good client", config(ca, nil, user), true},
		{"no certificate", config(ca, nil), false},
		{"a stranger's certificate", config(ca, nil, issue(stranger, "user", certificate.Request{})), false},
		{"an expired certificate", config(ca, nil, issue(ca, "old", certificate.Request{Expired: true})), false},
		{"TLS 1.2 at most", config(ca, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, user), false},
		{"another name", config(ca, func(c *tls.Config) { c.ServerName = "elsewhere.example" }, user), false},
		{"another authority", config(stranger, nil, user), false},
	} {
		reply, err := ask(ctx, addr, tt.config)
		if good := err == nil && reply == "PONG"; good != tt.good {
			t.Errorf("%s: %v %v", tt.name, reply, err)
		}
	}
	c := dial(ctx, t, addr)
	if reply, err := c.Do(ctx, "PING"); err == nil || !strings.Contains(err.Error(), "this address speaks TLS") {
		t.Errorf("no TLS: %v %v", reply, err)
	}
	must(t, c.Close())
}

// ask sends a PING.
func ask(ctx context.Context, addr string, config *tls.Config) (any, error) {
	nc, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := wire.New(nc)
	defer c.Close()
	return c.Do(ctx, "PING")
}
