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

// Listeners gives the entries of Listen, then those of ListenReplicas, then those of Masters.
func (c *Config) Listeners() []string {
	all := append(append([]string{}, c.Listen...), c.ListenReplicas...)
	for _, m := range c.Masters {
		all = append(append(all, m.Listen...), m.ListenReplicas...)
	}
	return all
}

// listenKey is the key that entry number i of Listeners stands under.
func (c *Config) listenKey(i int) string {
	switch {
	case i < len(c.Listen):
		return "listen"
	case i < len(c.Listen)+len(c.ListenReplicas):
		return "listen_replicas"
	}
	return "masters"
}

// replicas finds what is wrong with what the read-only address needs.
func (v *validation) replicas(c *Config) {
	r := c.Replicas
	v.oneOf("replicas.fallback", r.Fallback, FallbackNone, FallbackMaster)
	if r.MaxLag <= 2*c.Probe.Poll && c.Probe.Poll >= leastPoll {
		v.against("probe.poll", "replicas.max_lag", formatDuration(r.MaxLag),
			fmt.Sprintf("is not more than twice probe.poll (%s), and lag is not known any better; raise it, or lower probe.poll", formatDuration(c.Probe.Poll)))
	}
	if c.Durable.Replicas <= 0 || c.Durable.Reads != ReadsConfirmed {
		return
	}
	for _, own := range c.PerMaster() {
		if len(own.ListenReplicas) == 0 {
			continue
		}
		key := "listen_replicas"
		if c.Several() {
			key = "masters"
		}
		v.against("durable.replicas", key, strings.Join(own.ListenReplicas, ","),
			"shows what a replica has, confirmed or not, which durable.reads 'confirmed' promises not to; set durable.reads: any, or remove it")
	}
}
