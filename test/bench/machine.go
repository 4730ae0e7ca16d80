package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
)

// machine is the kind of machine that a run was made on: nothing that names it.
type machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	Redis     string `json:"redis"`
	HAProxy   string `json:"haproxy,omitempty"`
	Twemproxy string `json:"twemproxy,omitempty"`
	Commit    string `json:"commit"`
}

// version finds a version number in what a program says of itself.
var version = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)

func thisMachine(ctx context.Context) machine {
	return machine{
		Processor: processor(),
		Cores:     runtime.NumCPU(),
		Kernel:    kernel(),
		Go:        strings.TrimPrefix(runtime.Version(), "go"),
		Redis:     versionOf(ctx, "redis-server", "--version"),
		HAProxy:   versionOf(ctx, "haproxy", "-v"),
		Twemproxy: versionOf(ctx, "nutcracker", "--version"),
		Commit:    commit(ctx),
	}
}

// versionOf asks a program for its version; empty if there is none.
func versionOf(ctx context.Context, name, flag string) string {
	path, err := program(name)
	if err != nil {
		return ""
	}
	out, err := exec.CommandContext(ctx, path, flag).CombinedOutput()
	if err != nil {
		return ""
	}
	return version.FindString(string(out))
}

func processor() string {
	body, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(body)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// kernel is its version number, without what a builder has added.
func kernel() string {
	body, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + version.FindString(string(body))
}

// commit is what was measured, marked if the tree had changes.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func (m machine) String() string {
	s := fmt.Sprintf("%d cores (%s), %s, Go %s, Redis %s", m.Cores, m.Processor, m.Kernel, m.Go, m.Redis)
	if m.HAProxy != "" {
		s += ", HAProxy " + m.HAProxy
	}
	if m.Twemproxy != "" {
		s += ", twemproxy " + m.Twemproxy
	}
	return s + "; commit " + m.Commit
}
