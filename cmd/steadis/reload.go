package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/config"
)

// reloader is a part of the process that takes some keys anew while it runs.
type reloader struct {
	// keys it takes: paths, or sections such as "limits.".
	keys []string
	// prepare checks what c has for them and returns what puts it in force. Until that is
	// called nothing has changed; it cannot fail.
	prepare func(c *config.Config) (apply func(), err error)
}

func (r reloader) takes(path string) bool {
	return slices.ContainsFunc(r.keys, func(key string) bool {
		return key == path || strings.HasSuffix(key, ".") && strings.HasPrefix(path, key)
	})
}

// reloads reads the configuration again and hands each part what has changed for it: all
// of it, or, if anything is at fault, nothing. What no part takes needs a restart.
type reloads struct {
	load   func() (*config.Loaded, error) // as at the start; nil: it cannot be read again
	parts  []reloader                     // not changed once Run is near
	log    *zap.Logger
	counts *prometheus.CounterVec

	mu sync.Mutex // held by the one reload that may be under way
	// running is the configuration in force: what needs a restart is as it was.
	running atomic.Pointer[config.Config]
}

// reloaded is what a reload has come to.
type reloaded struct {
	// Changed is in force. NeedsRestart differs too, and is not.
	Changed      []config.Change `json:"changed"`
	NeedsRestart []config.Change `json:"needs_restart"`
}

func newReloads(c *config.Config, load func() (*config.Loaded, error), log *zap.Logger, registry prometheus.Registerer) *reloads {
	r := &reloads{load: load, log: log, counts: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "steadis_reloads_total", Help: "Reloads of the configuration, by whether it was put in force.",
	}, []string{"result"})}
	for _, result := range []string{"done", "refused"} {
		r.counts.WithLabelValues(result)
	}
	registry.MustRegister(r.counts)
	r.running.Store(c)
	return r
}

// current is the configuration in force. It may be called concurrently.
func (r *reloads) current() *config.Config { return r.running.Load() }

// add makes prepare called when one of the keys has changed.
func (r *reloads) add(prepare func(*config.Config) (func(), error), keys ...string) {
	r.parts = append(r.parts, reloader{keys: keys, prepare: prepare})
}

func (r *reloads) reloadable(path string) bool {
	return slices.ContainsFunc(r.parts, func(part reloader) bool { return part.takes(path) })
}

// reload reads the configuration and puts it in force, or returns every fault. It logs
// what has become of each key. It may be called concurrently.
func (r *reloads) reload() (reloaded, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done, loaded, err := r.attempt()
	if err != nil {
		r.counts.WithLabelValues("refused").Inc()
		r.log.Error("reload: nothing has changed, for the configuration is at fault", zap.Error(err))
		return reloaded{}, err
	}
	r.counts.WithLabelValues("done").Inc()
	for _, change := range done.Changed {
		r.log.Info("reload: changed", zap.String("key", change.Key), zap.String("from", change.From), zap.String("to", change.To))
	}
	for _, change := range done.NeedsRestart {
		r.log.Warn("reload: needs a restart", zap.String("key", change.Key), zap.String("running", change.From), zap.String("configured", change.To))
	}
	r.log.Info("configuration reloaded", zap.Int("changed", len(done.Changed)), zap.Int("need_restart", len(done.NeedsRestart)))
	for _, warning := range loaded.Warnings() {
		r.log.Warn("configuration: " + warning)
	}
	return done, nil
}

// attempt does reload's work but for the words. r.mu must be held.
func (r *reloads) attempt() (reloaded, *config.Loaded, error) {
	if r.load == nil {
		return reloaded{}, nil, errors.New("this steadis was not started by `steadis serve`, so it has no configuration to read again")
	}
	loaded, err := r.load()
	if err != nil {
		return reloaded{}, nil, err
	}
	former := r.current()
	next := former.With(&loaded.Config, r.reloadable)
	done := reloaded{Changed: config.Changes(former, next), NeedsRestart: config.Changes(next, &loaded.Config)}
	if faults := next.Validate(); len(faults) > 0 {
		return reloaded{}, nil, fmt.Errorf("with the keys that need a restart as they are now, %w", faults)
	}
	var applies []func()
	var faults []error
	for _, part := range r.parts {
		if !slices.ContainsFunc(done.Changed, func(c config.Change) bool { return part.takes(c.Key) }) {
			continue
		}
		apply, err := part.prepare(next)
		applies, faults = append(applies, apply), append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return reloaded{}, nil, err
	}
	r.running.Store(next)
	for _, apply := range applies {
		apply()
	}
	return done, loaded, nil
}

// action is POST /api/reload.
func (r *reloads) action(context.Context) (any, error) { return r.reload() }

// listen reloads at every hangup, until ctx ends, and tells the service manager.
func (r *reloads) listen(ctx context.Context, hangup <-chan os.Signal) error {
	for {
		select {
		case <-hangup:
			tellManager(r.log, managerReloading())
			_, _ = r.reload() // it is logged
			tellManager(r.log, managerReady)
		case <-ctx.Done():
			return nil
		}
	}
}
