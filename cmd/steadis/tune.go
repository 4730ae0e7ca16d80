package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"go.uber.org/zap"

	"steadis/config"
)

// ballast makes the heap look larger than it is, where memory is not limited. Go collects
// when the heap has grown by gc_percent, and ours is so small that this would be 10 times a
// second under load; so it is when some 60 MB have been used. Nobody touches the ballast, so
// it takes no memory itself. Measured (make bench): 0.57 to 0.66 of direct where
// clients pipeline, 0.56 to 0.65 with values of 10 kB.
var ballast []byte

const ballastSize = 16 << 20

// tune sets Go's own knobs for this process, but where the user has set Go's
// variable and not steadis' key. Under a memory limit it lowers defaults (fit).
func tune(c *config.Loaded, log *zap.Logger) {
	if c.Origins["gc_percent"] != "" || os.Getenv("GOGC") == "" {
		debug.SetGCPercent(c.GCPercent)
	}
	switch {
	case c.Threads > 0:
		runtime.GOMAXPROCS(c.Threads)
	case os.Getenv("GOMAXPROCS") == "":
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
	}
	limit := memoryLimit("/")
	if limit == 0 {
		if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
			ballast = make([]byte, ballastSize)
			runtime.KeepAlive(ballast)
		}
		return
	}
	f := fit(c, limit)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(f.goLimit)
	}
	log.Info("running under a memory limit", zap.Int64("bytes", limit), zap.Int64("collected_from", f.goLimit),
		zap.Strings("lowered", f.lowered), zap.Stringer("hold_max_bytes", c.HoldMaxBytes),
		zap.Stringer("limits.memory", c.Limits.Memory), zap.Stringer("limits.query_memory", c.Limits.QueryMemory))
	if f.advice != "" {
		log.Warn("configuration: " + f.advice)
	}
}
