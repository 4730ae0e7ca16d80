package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by -ldflags "-X main.version=v1.2.3". Without it, it is what the
// Go toolchain knows.
var version string

// ourVersion gives the version of this program.
func ourVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// moduleVersion gives the version of a module that this program was built with.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range info.Deps {
		if module.Path != path {
			continue
		}
		if module.Replace != nil {
			module = module.Replace
		}
		return module.Version
	}
	return "unknown"
}

func newVersionCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of steadis and of what it is made of",
		Args:  cobra.NoArgs,
		RunE: runs(func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(e.stdout, "steadis   %s\ngo        %s %s/%s\nredcon    %s\ngo-redis  %s\n",
				ourVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH,
				moduleVersion("github.com/tidwall/redcon"), moduleVersion("github.com/redis/go-redis/v9"))
			return err
		}),
	}
}
