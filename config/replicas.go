package config

import (
	"fmt"
	"strings"
	"time"
)

// The values of Replicas.Fallback: who is read from while no replica is fit.
const (
	FallbackNone   = "none"   // nobody; commands are held
	FallbackMaster = "master" // the master
)

// Replicas is about Config.ListenReplicas.
type Replicas struct {
	// MaxLag is how old what a replica lacks may be. > 2 * Probe.Poll.
	MaxLag time.Duration `key:"max_lag"`
	// Fallback is FallbackNone or FallbackMaster.
	Fallback string `key:"fallback"`
}

// Listeners gives the entries of Listen, then those of ListenReplicas.
func (c *Config) Listeners() []string {
	return append(append([]string{}, c.Listen...), c.ListenReplicas...)
}

// listenKey is the key that entry number i of Listeners stands under.
func (c *Config) listenKey(i int) string {
	if i < len(c.Listen) {
		return "listen"
	}
	return "listen_replicas"
}

// replicas finds what is wrong with what the read-only address needs.
func (v *validation) replicas(c *Config) {
	r := c.Replicas
	v.oneOf("replicas.fallback", r.Fallback, FallbackNone, FallbackMaster)
	if r.MaxLag <= 2*c.Probe.Poll && c.Probe.Poll >= leastPoll {
		v.against("probe.poll", "replicas.max_lag", formatDuration(r.MaxLag),
			fmt.Sprintf("is not more than twice probe.poll (%s), and lag is not known any better; raise it, or lower probe.poll", formatDuration(c.Probe.Poll)))
	}
	if len(c.ListenReplicas) > 0 && c.Durable.Replicas > 0 && c.Durable.Reads == ReadsConfirmed {
		v.against("durable.replicas", "listen_replicas", strings.Join(c.ListenReplicas, ","),
			"shows what a replica has, confirmed or not, which durable.reads 'confirmed' promises not to; set durable.reads: any, or remove it")
	}
}
