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
	proxyKeys = []string{"hold", "hold_max_commands", "hold_max_bytes", "in_doubt", "allow_commands", "deny_commands", "limits.", "drain",
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

// addFinder makes what the Sentinels are asked, and who they are, reloadable.
func (r *reloads) addFinder(f finder, tls *legs, log *zap.Logger) {
	if f.sentinels == nil {
		return
	}
	keys := append([]string{}, finderKeys...)
	if r.current().Auth != config.AuthStatic {
		keys = append(keys, ownKeys...)
	}
	r.add(func(c *config.Config) (func(), error) { return f.sentinels.Prepare(watcherOptions(c, tls, log, nil)) }, keys...)
}

// front is what clients are connected to.
type front interface {
	Prepare(proxy.Options) (apply func(), err error)
	SetUsers(proxy.Users)
}

// fronts are all that clients are connected to.
func fronts(server *proxy.Server, readers *readers) []front {
	if readers == nil {
		return []front{server}
	}
	return []front{server, readers}
}

// addProxy makes what the data paths go by reloadable.
func (r *reloads) addProxy(all []front, tls *legs, log *zap.Logger) {
	keys := append([]string{}, proxyKeys...)
	if r.current().Auth != config.AuthStatic {
		keys = append(keys, ownKeys...)
	}
	r.add(func(c *config.Config) (func(), error) {
		options, err := proxyOptions(c, tls, log, nil, nil)
		if err != nil {
			return nil, err
		}
		var applies []func()
		for _, f := range all {
			apply, err := f.Prepare(options)
			if err != nil {
				return nil, err // the others would say the same
			}
			applies = append(applies, apply)
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
			for _, f := range all {
				f.SetUsers(*known)
			}
		}, nil
	}, userKeys...)
}
