package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ticksPerSecond is the unit of the CPU times in /proc: USER_HZ, 100 on every Linux
// that Go runs on.
const ticksPerSecond = 100

// meter remembers the CPU times of Redis and of a proxy from when a load began.
type meter struct {
	redis, proxy       int // pids; proxy 0 for none
	redisCPU, proxyCPU float64
}

// meter starts to measure.
func (r *rig) meter(t *running) (meter, error) {
	m := meter{redis: r.master.PID(), proxy: t.pid}
	var err error
	if m.redisCPU, err = cpuSeconds(m.redis); err == nil && m.proxy != 0 {
		m.proxyCPU, err = cpuSeconds(m.proxy)
	}
	return m, err
}

// addTo adds to f what the processes used since, for so many commands.
func (m meter) addTo(f *figures, commands int) error {
	redis, err := cpuSeconds(m.redis)
	if err != nil {
		return err
	}
	f.RedisCPU = perMillion(redis-m.redisCPU, commands)
	if m.proxy == 0 {
		return nil
	}
	proxy, err := cpuSeconds(m.proxy)
	if err != nil {
		return err
	}
	f.ProxyCPU = perMillion(proxy-m.proxyCPU, commands)
	rss, err := residentBytes(m.proxy)
	f.RSS = float64(rss) / 1e6
	return err
}

func perMillion(seconds float64, commands int) float64 {
	if commands == 0 {
		return 0
	}
	return seconds / float64(commands) * 1e6
}

// cpuSeconds is the time that all threads of a process have run.
func cpuSeconds(pid int) (float64, error) {
	body, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	return parseStat(string(body))
}

// parseStat reads /proc/PID/stat. The name of the program, in parentheses, may have
// spaces and parentheses in it.
func parseStat(stat string) (float64, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 { // from the state, field 3; utime and stime are 14 and 15
		return 0, fmt.Errorf("/proc/PID/stat: %q", stat)
	}
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/PID/stat: %w", err)
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/PID/stat: %w", err)
	}
	return (user + system) / ticksPerSecond, nil
}

// residentBytes is the memory that a process has in RAM.
func residentBytes(pid int) (int64, error) {
	body, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(body))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/PID/statm: %q", body)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
