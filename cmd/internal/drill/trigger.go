package drill

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"steadis/test/workload/wire"
)

// The commands that take a master away.
const (
	methodFailover = "SENTINEL FAILOVER"
	methodSegfault = "DEBUG SEGFAULT"
	methodShutdown = "SHUTDOWN NOSAVE"
	methodSleep    = "DEBUG SLEEP"
)

// freezeBeyond is how much longer than down-after a frozen master sleeps by default:
// the failover takes about 2 s of it, the rest shows what its return does.
const freezeBeyond = 5 * time.Second

// freezeTime is how long the master is to be frozen.
func (o *Options) freezeTime(downAfter time.Duration) time.Duration {
	if o.FreezeFor > 0 {
		return o.FreezeFor
	}
	return downAfter + freezeBeyond
}

// choose finds out which command can take master away, without harm: DEBUG is
// tried with a sleep of no time.
func (o *Options) choose(ctx context.Context, master string) (method string, err error) {
	if o.Kind == Failover {
		return methodFailover, nil
	}
	_, err = o.nodeAt(master).do(ctx, "DEBUG", "SLEEP", "0")
	switch {
	case err == nil && o.Kind == Crash:
		return methodSegfault, nil
	case err == nil:
		return methodSleep, nil
	}
	var refusal wire.Error
	if o.Kind == Crash && errors.As(err, &refusal) && refusal.Prefix() != "NOAUTH" {
		return methodShutdown, nil
	}
	return "", explain(methodSleep, master, o.Sentinel.RoleUser, err)
}

// departure is a master that has been taken away.
type departure struct {
	// at is the moment before the command was sent.
	at time.Time
	// by is the server that was told.
	by string
	// frozen is the connection on which a frozen master's reply will come, else nil.
	frozen *wire.Conn
}

// trigger takes master away with method. An error means that it is still there,
// as far as can be known.
func (o *Options) trigger(ctx context.Context, method, master string, freeze time.Duration) (departure, error) {
	switch method {
	case methodFailover:
		return o.failover(ctx)
	case methodSegfault:
		return o.crash(ctx, master, method, "DEBUG", "SEGFAULT")
	case methodShutdown:
		// NOW keeps a Redis from 7.0 on from waiting for its replicas, as a crash would not.
		d, err := o.crash(ctx, master, method, "SHUTDOWN", "NOSAVE", "NOW", "FORCE")
		var refusal wire.Error
		if errors.As(err, &refusal) && strings.Contains(refusal.Error(), "syntax") {
			return o.crash(ctx, master, method, "SHUTDOWN", "NOSAVE")
		}
		return d, err
	case methodSleep:
		return o.freeze(ctx, master, freeze)
	}
	return departure{}, fmt.Errorf("no such method: %s", method)
}

// failover asks one Sentinel after the other until one accepts. Two that accept would
// fail over at the same time, in the same epoch, perhaps to different replicas; so it
// goes on only where the one that was asked is sure not to have begun.
func (o *Options) failover(ctx context.Context) (departure, error) {
	var all error
	for _, addr := range o.Sentinel.Addresses {
		d, sure, err := o.failoverBy(ctx, addr)
		if err == nil {
			return d, nil
		}
		all = errors.Join(all, err)
		if !sure {
			break
		}
	}
	return departure{}, all
}

// failoverBy asks one Sentinel. sure: after an error it has begun nothing, nor is it
// at it already.
func (o *Options) failoverBy(ctx context.Context, addr string) (d departure, sure bool, err error) {
	c, err := o.sentinelAt(addr).connect(ctx)
	if err != nil {
		return departure{}, true, explain(methodFailover, addr, o.Sentinel.User, err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	d = departure{at: time.Now(), by: addr}
	if _, err = c.Do(ctx, "SENTINEL", "FAILOVER", o.Sentinel.Master); err == nil {
		return d, true, nil
	}
	var refusal wire.Error
	sure = errors.As(err, &refusal) && refusal.Prefix() != "INPROG"
	return departure{}, sure, explain(methodFailover, addr, o.Sentinel.User, err)
}

// crash sends a command that is answered only if it is refused.
func (o *Options) crash(ctx context.Context, master, method string, args ...string) (departure, error) {
	c, err := o.nodeAt(master).connect(ctx)
	if err != nil {
		return departure{}, explain(method, master, o.Sentinel.RoleUser, err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	d := departure{at: time.Now(), by: master}
	_, err = c.Do(ctx, args...)
	var refusal wire.Error
	switch {
	case errors.As(err, &refusal):
		return departure{}, explain(method, master, o.Sentinel.RoleUser, err)
	case err == nil:
		return departure{}, fmt.Errorf("%s answered %s and lives on", master, method)
	case ctx.Err() != nil:
		return departure{}, fmt.Errorf("%s neither refuses %s nor ends", master, method)
	}
	return d, nil // the connection has ended, and with it the process
}

// refusalTime is how long a refusal may take; a master that sleeps says nothing.
const refusalTime = 500 * time.Millisecond

// freeze makes master sleep. Its connection stays open: the reply tells when it has
// woken.
func (o *Options) freeze(ctx context.Context, master string, length time.Duration) (departure, error) {
	c, err := o.nodeAt(master).connect(ctx)
	if err != nil {
		return departure{}, explain(methodSleep, master, o.Sentinel.RoleUser, err)
	}
	d := departure{at: time.Now(), by: master, frozen: c}
	c.Append("DEBUG", "SLEEP", strconv.FormatFloat(length.Seconds(), 'f', 3, 64))
	err = c.Flush()
	var reply any
	if err == nil {
		_ = c.SetDeadline(d.at.Add(refusalTime)) // an error shows in Receive
		reply, err = c.Receive()
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return d, nil
	}
	_ = c.Close()
	refusal, refused := reply.(wire.Error)
	switch {
	case refused:
		return departure{}, explain(methodSleep, master, o.Sentinel.RoleUser, refusal)
	case err == nil:
		return departure{}, fmt.Errorf("%s answered %s at once", master, methodSleep)
	}
	return departure{}, fmt.Errorf("%s at %s: %w", methodSleep, master, err)
}
