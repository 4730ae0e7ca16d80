package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"steadis/config"
)

// tune sets Go's own knobs for this process, but where the user has set Go's
// variable and not steadis' key.
func tune(c *config.Loaded) {
	if c.Origins["gc_percent"] != "" || os.Getenv("GOGC") == "" {
		debug.SetGCPercent(c.GCPercent)
	}
	switch {
	case c.Threads > 0:
		runtime.GOMAXPROCS(c.Threads)
	case os.Getenv("GOMAXPROCS") == "":
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
	}
}
