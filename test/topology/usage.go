package topology

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Usage is what a process holds at one moment.
type Usage struct {
	RSS        int64 // bytes of resident memory
	FDs        int   // open descriptors
	Goroutines int   // as /metrics says
}

// String gives the usage as one short line.
func (u Usage) String() string {
	return fmt.Sprintf("%.1f MB, %d descriptors, %d goroutines", float64(u.RSS)/1e6, u.FDs, u.Goroutines)
}

// Usage reads what steadis holds now. It needs /proc, that is Linux.
func (s *Steadis) Usage(ctx context.Context) (Usage, error) {
	rss, err := residentBytes(s.PID())
	if err != nil {
		return Usage{}, err
	}
	fds, err := os.ReadDir("/proc/" + strconv.Itoa(s.PID()) + "/fd")
	if err != nil {
		return Usage{}, err
	}
	samples, err := s.Metrics(ctx)
	if err != nil {
		return Usage{}, err
	}
	goroutines, has := samples["go_goroutines"]
	if !has {
		return Usage{}, errors.New("/metrics has no go_goroutines")
	}
	return Usage{RSS: rss, FDs: len(fds), Goroutines: int(goroutines)}, nil
}

func residentBytes(pid int) (int64, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/status"
	body, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(body), "\n") {
		if rest, found := strings.CutPrefix(line, "VmRSS:"); found {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("%s has no VmRSS", path)
}
