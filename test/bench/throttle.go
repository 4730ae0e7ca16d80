package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// limit is a bound on the processor time of a process.
type limit struct {
	how     string // for the report
	release func() error
}

// throttlePeriod is the period of a limit, the kernel's own default.
const throttlePeriod = 100 * time.Millisecond

// throttle lets the process have share of one processor: by a cgroup where this
// process may make one, else by stopping it for most of the time.
func throttle(pid int, share float64) (limit, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return limit{}, err
	}
	for _, c := range cgroupsIn(string(mounts)) {
		if l, err := c.limit(pid, share); err == nil {
			return l, nil
		}
	}
	return stopAndGo(pid, share), nil
}

// cgroup is a mounted hierarchy that can limit processor time.
type cgroup struct {
	version int
	root    string
}

// cgroupsIn finds them in /proc/self/mounts.
func cgroupsIn(mounts string) []cgroup {
	var found []cgroup
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line) // device, directory, type, options
		switch {
		case len(fields) < 4:
		case fields[2] == "cgroup2":
			found = append(found, cgroup{2, fields[1]})
		case fields[2] == "cgroup" && strings.Contains(","+fields[3]+",", ",cpu,"):
			found = append(found, cgroup{1, fields[1]})
		}
	}
	return found
}

// limit makes a group below the root and puts the process into it.
func (c cgroup) limit(pid int, share float64) (limit, error) {
	dir := filepath.Join(c.root, "steadis-bench-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return limit{}, err
	}
	put := func(dir, file, value string) error {
		return os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644)
	}
	release := func() error {
		return errors.Join(put(c.root, "cgroup.procs", strconv.Itoa(pid)), os.Remove(dir))
	}
	period := throttlePeriod.Microseconds()
	quota := int64(share * float64(period))
	how := "cgroup v2, cpu.max"
	var err error
	if c.version == 2 {
		err = put(dir, "cpu.max", fmt.Sprintf("%d %d", quota, period))
	} else {
		how = "cgroup v1, cpu.cfs_quota_us"
		err = errors.Join(put(dir, "cpu.cfs_period_us", strconv.FormatInt(period, 10)), put(dir, "cpu.cfs_quota_us", strconv.FormatInt(quota, 10)))
	}
	if err == nil {
		err = put(dir, "cgroup.procs", strconv.Itoa(pid))
	}
	if err != nil {
		return limit{}, errors.Join(err, os.Remove(dir))
	}
	return limit{how: fmt.Sprintf("%s, %d of %d us", how, quota, period), release: release}, nil
}

// dutyPeriod is shorter than a cgroup's: a process that is stopped does not even
// answer, so a limit by time must not look like an outage.
const dutyPeriod = 20 * time.Millisecond

// stopAndGo lets the process run for share of each period, with SIGCONT and SIGSTOP.
func stopAndGo(pid int, share float64) limit {
	end, ended := make(chan struct{}), make(chan struct{})
	go alternate(pid, share, end, ended)
	return limit{
		how: fmt.Sprintf("SIGSTOP and SIGCONT, %v of %v", time.Duration(share*float64(dutyPeriod)), dutyPeriod),
		release: func() error {
			close(end)
			<-ended
			return syscall.Kill(pid, syscall.SIGCONT)
		},
	}
}

// alternate stops the process and lets it go on until end is closed.
func alternate(pid int, share float64, end <-chan struct{}, ended chan<- struct{}) {
	defer close(ended)
	run := time.Duration(share * float64(dutyPeriod))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for running := false; ; running = !running {
		select {
		case <-end:
			return
		case <-timer.C:
		}
		if running {
			_ = syscall.Kill(pid, syscall.SIGSTOP) // a process that is gone shows elsewhere
			timer.Reset(dutyPeriod - run)
		} else {
			_ = syscall.Kill(pid, syscall.SIGCONT)
			timer.Reset(run)
		}
	}
}
