package main

import (
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestCgroupsIn(t *testing.T) {
	got := cgroupsIn("tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /c/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\ncgroup /c/cpuset cgroup rw,cpuset 0 0\ncgroup2 /c/unified cgroup2 rw 0 0\nshort\n")
	want := []cgroup{{1, "/c/cpu,cpuacct"}, {2, "/c/unified"}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

// TestLimits burns processor time in a child and looks how much it gets, with the limit
// that this machine allows and with the one that works everywhere.
func TestLimits(t *testing.T) {
	for name, begin := range map[string]func(pid int) (limit, error){
		"as this machine allows": func(pid int) (limit, error) { return throttle(pid, 0.25) },
		"stop and go":            func(pid int) (limit, error) { return stopAndGo(pid, 0.25), nil },
	} {
		t.Run(name, func(t *testing.T) {
			child := exec.Command("sh", "-c", "while :; do :; done")
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = child.Process.Kill()
				_ = child.Wait() // it was killed
			}()
			l, err := begin(child.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(l.how)
			before, began := mustCPU(t, child.Process.Pid), time.Now()
			<-time.After(600 * time.Millisecond)
			share := (mustCPU(t, child.Process.Pid) - before) / time.Since(began).Seconds()
			if err := l.release(); err != nil {
				t.Error(err)
			}
			// A free child takes all of a processor; a limited one has at most one more period.
			if share > 0.5 {
				t.Errorf("it got %.2f of a processor", share)
			}
			after := mustCPU(t, child.Process.Pid)
			for deadline := time.Now().Add(10 * time.Second); mustCPU(t, child.Process.Pid) < after+0.05; {
				if time.Now().After(deadline) {
					t.Fatal("it does not run after the release")
				}
			}
		})
	}
}

func mustCPU(t *testing.T, pid int) float64 {
	t.Helper()
	seconds, err := cpuSeconds(pid)
	if err != nil {
		t.Fatal(err)
	}
	return seconds
}
