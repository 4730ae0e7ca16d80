package sentinel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/zap"
)

// errOneDial stops go-redis from replacing a lost connection by itself: a session
// must notice the loss, since a new connection may be to another process.
var errOneDial = errors.New("the connection was lost")

// sentinelOptions are the go-redis options for one connection to the Sentinel at addr.
func sentinelOptions(ctx context.Context, o *Options, addr string) *redis.Options {
	return clientOptions(ctx, o, o.Dial, addr, o.User, o.Password)
}

// nodeOptions are the go-redis options for one connection to the node at addr.
func nodeOptions(ctx context.Context, o *Options, addr string) *redis.Options {
	return clientOptions(ctx, o, o.DialNode, addr, o.RoleUser, o.RolePassword)
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// clientOptions are the go-redis options for one connection to addr. It dials
// once, within ctx as well as within what go-redis says: go-redis dials in a
// goroutine of its own that outlives the command which wanted the connection.
func clientOptions(ctx context.Context, o *Options, dial dialFunc, addr, user, password string) *redis.Options {
	var dialled atomic.Bool
	return &redis.Options{
		Addr:     addr,
		Username: user,
		Password: password,
		Protocol: 2,
		Dialer: func(dialCtx context.Context, network, addr string) (net.Conn, error) {
			if dialled.Swap(true) {
				return nil, errOneDial
			}
			dialCtx, cancel := context.WithTimeout(dialCtx, o.Timeout)
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			c, err := dial(dialCtx, network, addr)
			if err != nil {
				return nil, err
			}
			return &guardedConn{Conn: c}, nil
		},
		DialTimeout:           o.Timeout,
		DialerRetries:         1,
		ReadTimeout:           o.Timeout,
		WriteTimeout:          o.Timeout,
		PoolTimeout:           o.Timeout,
		ContextTimeoutEnabled: true,
		MaxRetries:            -1,
		// One connection is all that is dialled. A pool of that size would start a
		// goroutine at its first dial error that dials every second and outlives
		// Close by up to one.
		PoolSize:        4,
		DisableIdentity: true, // the documented ACL profile has no CLIENT SETINFO
		ReadBufferSize:  4096,
		WriteBufferSize: 4096,
		// Else go-redis resolves the host name at construction, for up to 2 s.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// replyIs says whether err is an error reply (or a failed authentication) with
// one of these prefixes.
func replyIs(err error, prefixes ...string) bool {
	if err == nil {
		return false
	}
	text := strings.TrimPrefix(err.Error(), "failed to authenticate: ")
	for _, p := range prefixes {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}

// plain shortens an error for people: the fault, bounded.
func plain(err error) string {
	if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		return "no answer in time"
	}
	return bounded(err.Error(), 200)
}

// askNode asks a Redis node for its ROLE, on a connection of its own, within
// 2 timeouts.
func askNode(ctx context.Context, o *Options, addr string) (role, string) {
	c := redis.NewClient(nodeOptions(ctx, o, addr))
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	ctx, cancel := context.WithTimeout(ctx, 2*o.Timeout)
	defer cancel()
	reply, err := c.Do(ctx, "ROLE").Slice()
	switch {
	case replyIs(err, "NOAUTH", "NOPERM", "WRONGPASS", "ERR unknown command", "ERR AUTH"):
		return roleCannotSay, plain(err)
	case err != nil:
		return roleSilent, plain(err)
	case len(reply) == 0:
		return roleSilent, "an empty reply to ROLE"
	}
	switch word, _ := reply[0].(string); word {
	case "master":
		return roleMaster, ""
	case "slave", "replica", "sentinel":
		return roleReplica, "ROLE says " + word
	default:
		return roleSilent, fmt.Sprintf("unknown ROLE %q", bounded(word, 32))
	}
}

// libraryLog is where go-redis' own lines go. It is process-wide in go-redis, so
// the last Watcher's log gets them; at debug, since what matters is reported by us.
type libraryLog struct{ log atomic.Pointer[zap.Logger] }

var library = func() *libraryLog {
	l := &libraryLog{}
	l.log.Store(zap.NewNop())
	redis.SetLogger(l)
	return l
}()

// Printf implements go-redis' logging interface.
func (l *libraryLog) Printf(_ context.Context, format string, v ...any) {
	if ce := l.log.Load().Check(zap.DebugLevel, "go-redis"); ce != nil {
		ce.Write(zap.String("line", bounded(fmt.Sprintf(format, v...), 500)))
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
