package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"steadis/config"
	"steadis/proxy"
	"steadis/test/certificate"
)

func TestMemoryLimit(t *testing.T) {
	const v1, v2 = "9:name=systemd:/\n4:memory:/docker/abc\n3:cpu,cpuacct:/x\n", "0::/kubepods/pod1/c\n"
	for name, tt := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no control groups":      {nil, 0},
		"version 2":              {map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/kubepods/pod1/c/memory.max": "268435456\n"}, 256 << 20},
		"version 2, no limit":    {map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/kubepods/pod1/c/memory.max": "max\n"}, 0},
		"of the group around it": {map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/kubepods/pod1/c/memory.max": "max\n", "sys/fs/cgroup/kubepods/memory.max": "1048576\n"}, 1 << 20},
		"version 2, a container": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1048576"}, 1 << 20},
		"version 1":              {map[string]string{"proc/self/cgroup": v1, "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "1048576\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 1 << 20},
		"version 1, a container": {map[string]string{"proc/self/cgroup": v1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "1048576\n"}, 1 << 20},
		"version 1, no limit":    {map[string]string{"proc/self/cgroup": v1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		"nonsense":               {map[string]string{"proc/self/cgroup": "x\n", "sys/fs/cgroup/memory.max": "1"}, 0},
	} {
		root := t.TempDir()
		for file, text := range tt.files {
			file = filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := memoryLimit(root); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

func TestFit(t *testing.T) {
	bytes := []string{"hold_max_bytes", "limits.memory", "limits.query_memory"}
	all := append(slices.Clone(bytes), "hold_max_commands")
	_, pair := certificate.Issued(t, "server")
	overTLS := "STEADIS_LISTEN=tls://127.0.0.1:6379 STEADIS_TLS_CERT_FILE=" + pair.CertFile + " STEADIS_TLS_KEY_FILE=" + pair.KeyFile
	for _, tt := range []struct {
		env     string
		limit   int64 // MiB
		lowered []string
		advice  string
	}{
		{"", 256, all, ""},
		{"", 1024, bytes, ""},
		{"", 8 << 10, nil, ""},
		{"STEADIS_LISTEN_REPLICAS=127.0.0.1:6380", 512, all, ""},
		{"STEADIS_LISTEN_REPLICAS=127.0.0.1:6380", 256, all, "the memory limit is 256mb, and 20000 clients alone may need 285mb; lower limits.clients or raise the limit"},
		{overTLS, 1024, bytes, ""},
		{overTLS, 256, all, "the memory limit is 256mb, and 10000 clients alone may need 461mb; lower limits.clients or raise the limit"},
		{"STEADIS_HOLD_MAX_BYTES=20mb", 256, all[1:], ""},
		{"STEADIS_HOLD_MAX_BYTES=200mb", 256, all[1:], "the memory limit is 256mb: beside 10000 clients it leaves "},
		{"STEADIS_HOLD_MAX_COMMANDS=500000", 256, bytes, "the memory limit is 256mb: beside 10000 clients it leaves "},
		{"STEADIS_LIMITS_CLIENTS=100000", 256, all, "the memory limit is 256mb, and 100000 clients alone may need 1301mb; lower limits.clients or raise the limit"},
	} {
		c, err := config.Load(config.Input{Environ: strings.Fields(tt.env)})
		if err != nil {
			t.Fatal(err)
		}
		f := fit(c, tt.limit<<20)
		if !slices.Equal(f.lowered, tt.lowered) || (f.advice == "") != (tt.advice == "") || !strings.HasPrefix(f.advice, tt.advice) {
			t.Errorf("%s, %d MiB: %+v", tt.env, tt.limit, f)
		}
		crowds := int64(1)
		if strings.Contains(tt.env, "LISTEN_REPLICAS") {
			crowds = 2
		}
		buffers := crowds*(int64(c.HoldMaxBytes+c.Limits.Memory)+int64(c.HoldMaxCommands)*proxy.RequestCost) + int64(c.Limits.QueryMemory)
		if rest := f.goLimit - ownMemory - crowds*int64(c.Limits.Clients)*memoryOfClient(&c.Config); tt.advice == "" && buffers > rest {
			t.Errorf("%s, %d MiB: buffers may take %d of %d", tt.env, tt.limit, buffers, rest)
		}
		if faults := c.Validate(); len(faults) > 0 {
			t.Errorf("%s, %d MiB: %v", tt.env, tt.limit, faults)
		}
	}
}
