package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// The secrets are recognizable wherever they come out.
const (
	upstreamSecret = "zz-upstream-secret"
	sentinelSecret = "zz-sentinel-secret"
	tokenSecret    = "zz-token-secret"
	clientSecret   = "zz-client-secret"
	wrongSecret    = "zz-wrong-secret"
)

func hashOf(password string) string {
	sum := sha256.Sum256([]byte(password))
	return "#" + hex.EncodeToString(sum[:])
}

// secretLayer is one way to give steadis its secrets.
type secretLayer struct {
	name string
	args []string
	env  []string
}

func secretLayers(t *testing.T) []secretLayer {
	t.Helper()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	users := "app=" + hashOf(clientSecret)
	return []secretLayer{
		{name: "flags", args: []string{"--auth", "static", "--users", users, "--upstream-password", upstreamSecret,
			"--sentinel-auth-password", sentinelSecret, "--admin-token", tokenSecret}},
		{name: "variables", env: []string{"STEADIS_AUTH=static", "STEADIS_USERS=" + users, "STEADIS_UPSTREAM_PASSWORD=" + upstreamSecret,
			"STEADIS_SENTINEL_AUTH_PASSWORD=" + sentinelSecret, "STEADIS_ADMIN_TOKEN=" + tokenSecret}},
		{name: "files", args: []string{"--auth", "static", "--users-file", file("users", "app "+hashOf(clientSecret)),
			"--upstream-password-file", file("upstream", upstreamSecret), "--sentinel-auth-password-file", file("sentinel", sentinelSecret),
			"--admin-token-file", file("token", tokenSecret)}},
		{name: "one file", args: []string{"--config", file("steadis.yaml", "auth: static\nusers: {app: '"+hashOf(clientSecret)+"'}\nupstream: {password: "+upstreamSecret+
			"}\nsentinel_auth: {password: "+sentinelSecret+"}\nadmin_token: "+tokenSecret)}},
		{name: "passthrough", env: []string{"STEADIS_UPSTREAM_PASSWORD=" + upstreamSecret,
			"STEADIS_SENTINEL_AUTH_PASSWORD=" + sentinelSecret, "STEADIS_ADMIN_TOKEN=" + tokenSecret}},
	}
}

// TestNoSecretComesOut gives a real process secrets in every way, lets clients use and
// mistake theirs, through a failover, and looks for all of them in whatever comes out.
func TestNoSecretComesOut(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "steadis")
	if err := topology.BuildSteadis(binary); err != nil {
		t.Fatal(err)
	}
	d, err := topology.Start(ctx, topology.Options{Replicas: 1, Password: upstreamSecret, SentinelPassword: sentinelSecret, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, layer := range secretLayers(t) {
		t.Run(layer.name, func(t *testing.T) {
			args := append([]string{"--sentinel", d.SentinelAddrs(), "--master", d.Name(), "--log-level", "debug", "--admin-pprof"}, layer.args...)
			s, err := topology.RunSteadis(ctx, topology.SteadisOptions{Binary: binary, Dir: t.TempDir(), Args: args, Env: layer.env})
			if err != nil {
				t.Fatal(err)
			}
			useSecrets(ctx, t, s.Addr)
			if layer.name == "flags" || layer.name == "passthrough" {
				if err := d.Failover(ctx); err != nil {
					t.Error(err)
				}
				useSecrets(ctx, t, s.Addr)
			}
			out := map[string]string{}
			for _, path := range []string{"/", "/livez", "/readyz", "/metrics", "/api/status", "/debug/pprof/", "/debug/pprof/cmdline",
				"/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1", "/debug/pprof/" + tokenSecret[:2]} {
				_, body, err := s.Status(ctx, path)
				if err != nil {
					t.Error(err)
				}
				out[path] = body
			}
			out["switchover"] = postWrongToken(ctx, t, s.AdminAddr)
			for _, command := range []string{"config", "check"} {
				cmd := exec.CommandContext(ctx, binary, append([]string{command}, args...)...)
				cmd.Env = append(os.Environ(), layer.env...)
				text, _ := cmd.CombinedOutput() // check says that its listener is taken
				if len(text) == 0 {
					t.Errorf("steadis %s says nothing", command)
				}
				out["steadis "+command] = string(text)
			}
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			text, err := os.ReadFile(s.Log())
			if err != nil || len(text) == 0 {
				t.Errorf("the log: %v", err)
			}
			out["log"] = string(text)
			for where, text := range out {
				for _, secret := range []string{upstreamSecret, sentinelSecret, tokenSecret, clientSecret, wrongSecret, hashOf(clientSecret)[1:20]} {
					if strings.Contains(text, secret) {
						t.Errorf("%s shows %s:\n%s", where, secret, around(text, secret))
					}
				}
			}
		})
	}
}

// around gives the line that a secret stands in.
func around(text, secret string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, secret) {
			return line
		}
	}
	return secret
}

// useSecrets authenticates rightly and wrongly in every way there is.
func useSecrets(ctx context.Context, t *testing.T, addr string) {
	t.Helper()
	for _, cmds := range [][][]string{
		{{"AUTH", wrongSecret}, {"AUTH", "app", wrongSecret}, {"HELLO", "3", "AUTH", "app", wrongSecret}, {"GET", "k"}, {wrongSecret, wrongSecret}},
		{{"AUTH", "app", clientSecret}, {"SET", "k", "v"}, {"HELLO", "3", "AUTH", "app", clientSecret, "SETNAME", "me"}, {"MULTI"}, {"AUTH", "app", clientSecret}, {"EXEC"}, {"RESET"}},
		{{"AUTH", upstreamSecret}, {"AUTH", "default", upstreamSecret}, {"SET", "k", "v"}, {"HELLO", "2", "AUTH", "default", upstreamSecret}, {"ACL", "WHOAMI"}},
	} {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		c, err := wire.Dial(ctx, addr)
		if err != nil {
			t.Fatal(err)
		}
		for _, cmd := range cmds {
			if _, err := c.Do(ctx, cmd...); err != nil && ctx.Err() != nil {
				t.Errorf("%s: %v", cmd[0], err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		cancel()
	}
}

func postWrongToken(ctx context.Context, t *testing.T, admin string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+admin+"/api/switchover", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+wrongSecret)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text := make([]byte, 4096)
	n, _ := response.Body.Read(text)
	return response.Status + string(text[:n])
}
