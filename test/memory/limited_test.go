package memory

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
)

// limited is a steadis that may not take more than limit bytes.
type limited struct {
	addr string
	// state says whether it still runs, how much memory it has had at most, and how much
	// beside that the kernel has had for it, as far as that counts.
	state func() (alive bool, most int64, err error)
}

// limit is what the process, with what the kernel has for it, may take.
const limit = 256 << 20

// startPlain starts steadis with the settings that it chooses itself under such a limit, and
// measures the memory that it takes. Nothing ends it if that is too much.
func startPlain(ctx context.Context, t *testing.T, d *topology.Deployment, clients int) limited {
	s, err := topology.RunSteadis(ctx, topology.SteadisOptions{
		Binary: build(t), Dir: t.TempDir(), Args: arguments(d, clients),
		Env: []string{"GOMEMLIMIT=191MiB", "STEADIS_HOLD_MAX_BYTES=14mb", "STEADIS_HOLD_MAX_COMMANDS=19000", "STEADIS_LIMITS_MEMORY=21mb", "STEADIS_LIMITS_QUERY_MEMORY=7mb"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.LogTail())
		}
	})
	return limited{addr: s.Addr, state: func() (bool, int64, error) {
		most, err := peak(s.PID())
		return s.Alive(), most, err
	}}
}

func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "steadis")
	if err := topology.BuildSteadis(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func arguments(d *topology.Deployment, clients int) []string {
	return []string{"--sentinel", d.SentinelAddrs(), "--master", d.Name(), "--limits-clients", strconv.Itoa(clients), "--drain", "1s"}
}

// peak reads the most memory that a process has had.
func peak(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmHWM", pid)
}

// docker runs the docker client and returns what it prints.
func docker(ctx context.Context, input []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdin = bytes.NewReader(input)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("docker %s: %w: %s", args[0], err, errs.String())
	}
	return strings.TrimSpace(string(out)), err
}

// startInContainer starts steadis where the kernel ends it if it takes more than the limit: in a
// container with nothing but the program. It finds the limit by itself.
func startInContainer(ctx context.Context, t *testing.T, d *topology.Deployment, clients int) limited {
	t.Setenv("CGO_ENABLED", "0") // it has to run where nothing else is
	binary := build(t)
	archive, err := exec.CommandContext(ctx, "tar", "-C", filepath.Dir(binary), "-c", filepath.Base(binary)).Output()
	if err != nil {
		t.Fatal(err)
	}
	image, err := docker(ctx, archive, "import", "--change", `ENTRYPOINT ["/steadis"]`, "-")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := topology.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	size, id := strconv.Itoa(limit), fmt.Sprintf("steadis-memory-%d", os.Getpid())
	t.Cleanup(func() { removeContainer(t, id, image) })
	args := append([]string{"run", "--detach", "--name", id, "--network", "host", "--memory", size, "--memory-swap", size, "--ulimit", "nofile=20000:20000",
		image, "serve", "--listen", addr, "--admin", ""}, arguments(d, clients)...)
	full, err := docker(ctx, nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	return limited{addr: addr, state: func() (bool, int64, error) {
		state, err := docker(ctx, nil, "inspect", "--format", "{{.State.Running}} {{.State.OOMKilled}}", id)
		if err != nil {
			return false, 0, err
		}
		return state == "true false", groupPeak(full), nil
	}}
}

// removeContainer shows what steadis has said, and leaves nothing behind.
func removeContainer(t *testing.T, id, image string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "docker", "logs", "--tail", "60", id).CombinedOutput(); err == nil && (t.Failed() || testing.Verbose()) {
		t.Logf("%s", out)
	}
	if _, err := docker(ctx, nil, "rm", "--force", id); err != nil {
		t.Error(err)
	}
	if _, err := docker(ctx, nil, "rmi", image); err != nil {
		t.Error(err)
	}
}

// groupPeak reads the most memory that the container's control group has had, in either version
// of them; 0 if neither is to be found.
func groupPeak(id string) int64 {
	for _, file := range []string{"memory/docker/" + id + "/memory.max_usage_in_bytes", "system.slice/docker-" + id + ".scope/memory.peak", "docker/" + id + "/memory.peak"} {
		if text, err := os.ReadFile("/sys/fs/cgroup/" + file); err == nil {
			n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			return n
		}
	}
	return 0
}
