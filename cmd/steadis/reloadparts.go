package main

import (
	"errors"
	"runtime/debug"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"steadis/config"
	"steadis/proxy"
)

// The parts of a process that take keys anew. A key that is in none of these lists needs a
// restart.
var (
	finderKeys = []string{"sentinel", "sentinel_auth.", "sentinel_timeout", "sentinel_poll", "sentinel_poll_holding",
		"address_map", "fence", "without_majority"}
	// proxyKeys has masters for their holds: nothing else of them is taken (config.Config.With).
	proxyKeys = []string{"hold", "masters", "hold_max_commands", "hold_max_bytes", "in_doubt", "allow_commands", "deny_commands", "limits.", "drain",
		"upstream.dial_timeout", "upstream.heartbeat"}
	// ownKeys are who steadis is towards the master. With auth: static clients are that too,
	// and those that are connected cannot become somebody else.
	ownKeys  = []string{"upstream.user", "upstream.password", "upstream.password_file"}
	userKeys = []string{"users", "users_file"}
	tlsKeys  = []string{"tls.", "upstream_tls.", "sentinel_tls."}
)

// addLog makes the log's level, and what Go's runtime goes by, reloadable.
func (r *reloads) addLog(level zap.AtomicLevel) {
	r.add(func(c *config.Config) (func(), error) {
		next, err := zapcore.ParseLevel(c.Log.Level)
		return func() { level.SetLevel(next) }, err
	}, "log.level")
	r.add(func(c *config.Config) (func(), error) {
		return func() { debug.SetGCPercent(c.GCPercent) }, nil
	}, "gc_percent")
}

// addTokens makes the admin token reloadable: it is asked for at each request (current).
func (r *reloads) addTokens() {
	r.add(func(*config.Config) (func(), error) { return func() {}, nil }, "admin_token", "admin_token_file")
}

// addTLS makes certificates and all that is beside them reloadable. Files that have changed
// under the same names are seen by the keepers themselves.
func (r *reloads) addTLS(tls *legs) {
	r.add(func(c *config.Config) (func(), error) {
		if _, err := newLegs(c, zap.NewNop(), nil); err != nil {
			return nil, err
		}
		return func() {
			if err := tls.Replace(c); err != nil { // the files have changed since a moment ago
				r.log.Error("reload: a leg goes on with the TLS that it had", zap.Error(err))
			}
		}, nil
	}, tlsKeys...)
}

// addServices makes what the services are told reloadable. Each takes what is there for it
// (config.PerMaster); which masters there are does not change.
func (r *reloads) addServices(all services, tls *legs) {
	for i, s := range all {
		r.addFinder(i, s, tls)
	}
	r.addProxies(all, tls)
}

// addFinder makes what the Sentinels are asked, and who they are, reloadable, for service
// number i.
func (r *reloads) addFinder(i int, s *service, tls *legs) {
	if s.finder.sentinels == nil {
		return
	}
	keys := append([]string{}, finderKeys...)
	if r.current().Auth != config.AuthStatic {
		keys = append(keys, ownKeys...)
	}
	r.add(func(c *config.Config) (func(), error) {
		return s.finder.sentinels.Prepare(watcherOptions(c.PerMaster()[i], tls, s.log, nil))
	}, keys...)
}

// front is what clients are connected to.
type front interface {
	Prepare(proxy.Options) (apply func(), err error)
	SetUsers(proxy.Users)
	HandOver(proxy.GiveFunc)
	KeepClients(proxy.GiveFunc)
}

// addProxies makes what the data paths go by reloadable.
func (r *reloads) addProxies(all services, tls *legs) {
	keys := append([]string{}, proxyKeys...)
	if r.current().Auth != config.AuthStatic {
		keys = append(keys, ownKeys...)
	}
	r.add(func(c *config.Config) (func(), error) {
		var applies []func()
		for i, own := range c.PerMaster() {
			prepared, err := all[i].prepare(own, tls)
			if err != nil {
				return nil, err // the others would say the same
			}
			applies = append(applies, prepared...)
		}
		return func() {
			for _, apply := range applies {
				apply()
			}
		}, nil
	}, keys...)
	r.add(func(c *config.Config) (func(), error) {
		known := users(c)
		if known == nil {
			return nil, errors.New("users have no effect, as auth is not static")
		}
		return func() {
			for _, s := range all {
				for _, f := range s.fronts() {
					f.SetUsers(*known)
				}
			}
		}, nil
	}, userKeys...)
}

// prepare gives what puts c in force where clients of the service are connected.
func (s *service) prepare(c *config.Config, tls *legs) (applies []func(), err error) {
	options, err := proxyOptions(c, tls, s.log, nil, nil)
	if err != nil {
		return nil, err
	}
	for _, f := range s.fronts() {
		apply, err := f.Prepare(options)
		if err != nil {
			return nil, err
		}
		applies = append(applies, apply)
	}
	return applies, nil
}
