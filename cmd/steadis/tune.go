package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"go.uber.org/zap"

	"steadis/config"
)

// tune sets Go's own knobs for this process, but where the user has set Go's
// variable and not steadis' key. Under a memory limit it lowers defaults (fitHere).
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
	if err := askForShortSlices(); err != nil {
		log.Debug("the kernel grants no short slices; commands may wait longer while the processors are busy", zap.Error(err))
	}
	if goLimit := fitHere(c, log); goLimit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(goLimit)
	}
}

// fitHere lowers defaults to the memory limit of this process, if there is one, and returns
// the one for Go's collector; 0: there is none.
func fitHere(c *config.Loaded, log *zap.Logger) (goLimit int64) {
	limit := memoryLimit("/")
	if limit == 0 {
		return 0
	}
	f := fit(c, limit)
	log.Info("running under a memory limit", zap.Int64("bytes", limit), zap.Int64("collected_from", f.goLimit),
		zap.Strings("lowered", f.lowered), zap.Stringer("hold_max_bytes", c.HoldMaxBytes), zap.Int("hold_max_commands", c.HoldMaxCommands),
		zap.Stringer("limits.memory", c.Limits.Memory), zap.Stringer("limits.query_memory", c.Limits.QueryMemory))
	if f.advice != "" {
		log.Warn("configuration: " + f.advice)
	}
	return f.goLimit
}
