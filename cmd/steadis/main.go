// Command steadis is a Sentinel-aware failover proxy for Redis: it holds commands
// while the master changes instead of handing the failover on to clients.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(Main(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
