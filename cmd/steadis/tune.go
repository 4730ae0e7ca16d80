package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"go.uber.org/zap"

	"steadis/config"
)

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
		return
	}
	f := fit(c, limit)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(f.goLimit)
	}
	log.Info("running under a memory limit", zap.Int64("bytes", limit), zap.Int64("collected_from", f.goLimit),
		zap.Strings("lowered", f.lowered), zap.Stringer("hold_max_bytes", c.HoldMaxBytes), zap.Int("hold_max_commands", c.HoldMaxCommands),
		zap.Stringer("limits.memory", c.Limits.Memory), zap.Stringer("limits.query_memory", c.Limits.QueryMemory))
	if f.advice != "" {
		log.Warn("configuration: " + f.advice)
	}
}
