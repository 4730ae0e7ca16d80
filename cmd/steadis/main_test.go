package main

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is a writer that may be read while it is written to.
type output struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// steadis runs one command in this process, as its users do.
func steadis(ctx context.Context, environ []string, args ...string) (code int, stdout, stderr string) {
	var out, errs output
	code = Main(ctx, args, environ, &out, &errs)
	return code, out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	deployment := []string{"STEADIS_SENTINEL=127.0.0.1:1", "STEADIS_MASTER=m"}
	tests := []struct {
		args    string
		environ []string
		code    int
		stdout  string
		stderr  string
	}{
		{"", nil, 0, "Available Commands:", ""},
		{"--help", nil, 0, "Available Commands:", ""},
		{"serve --help", nil, 0, "--durable-replicas int", ""},
		{"version", nil, 0, "go-redis  v9.", ""},
		{"version --x", nil, 2, "", "steadis: unknown flag: --x (`steadis version --help` lists the flags)"},
		{"srve", nil, 2, "", "unknown command \"srve\""},
		{"serve extra", nil, 2, "", "unknown command \"extra\""},
		{"serve", nil, 2, "", "sentinel is not set"},
		{"check", nil, 2, "", "master is not set"},
		{"check --json", nil, 2, "", "master is not set"},
		{"serve --hodl 3s", nil, 2, "", "unknown flag '--hodl'; did you mean '--hold'?"},
		{"serve --hold", nil, 2, "", "flag needs an argument: --hold"},
		{"serve --hold 30", deployment, 2, "", "hold '30' (--hold) has no unit"},
		{"serve", append([]string{"STEADIS_HODL=1s"}, deployment...), 2, "", "unknown variable 'STEADIS_HODL'"},
		{"serve --config /nowhere.yaml", deployment, 2, "", "the configuration file /nowhere.yaml does not exist"},
		{"serve --durable-replicas 1 --hold 5s", deployment, 2, "", "durable.timeout '10s' is not shorter than hold (5s)"},
		{"serve --listen 192.0.2.1:6379", deployment, 1, "", "no interface of this machine has this address"},
		{"config --hold never", nil, 2, "", "is not a duration"},
		{"config --hold 5s", nil, 0, "hold: 5s # from --hold", ""},
		{"config --sentinel a:1", nil, 0, "sentinel: [\"a:1\"]", "steadis: warning: only one Sentinel"},
		{"config --upstream-password hunter2", nil, 0, "password: (set)", "process list"},
		{"config --default", []string{"STEADIS_HODL=is not looked at"}, 0, "# Sentinels to ask", ""},
		{"health --admin=", nil, 2, "", "admin is empty, so there is no admin server to ask"},
		{"health --admin 127.0.0.1:1", nil, 1, "", "the admin server on 127.0.0.1:1 does not answer; is steadis running there?"},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			code, stdout, stderr := steadis(t.Context(), test.environ, strings.Fields(test.args)...)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("got %d\nstdout %s\nstderr %s", code, stdout, stderr)
			}
			if strings.Contains(stdout+stderr, "hunter2") {
				t.Error("shows the password")
			}
			if test.stderr == "" && stderr != "" {
				t.Errorf("stderr: %s", stderr)
			}
		})
	}
}
