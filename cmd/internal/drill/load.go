package drill

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"steadis/test/workload"
)

const (
	// readEvery is how often each reader reads, pingEvery how often a health check
	// comes, over a connection of its own.
	readEvery = 10 * time.Millisecond
	pingEvery = 100 * time.Millisecond
	// grace is what commands that still wait get at the end of a load.
	grace = 5 * time.Second
	// scrubTimeout is for deleting what a drill wrote.
	scrubTimeout = 15 * time.Second
)

// load is the traffic of one round: writers, readers and a health check.
type load struct {
	give    context.CancelFunc // ends it at once
	writers *workload.Load
	readers []*workload.Reader
	pinger  *workload.Pinger
}

// loaded is what a load saw.
type loaded struct {
	record *workload.Record
	reads  []workload.Reads
	pings  []workload.Ping
}

// startLoad connects everybody. The caller must stop it: the end of ctx does so only
// while the load starts, so that what is in flight at an interrupt gets its reply.
func (o *Options) startLoad(ctx context.Context, keys string) (*load, error) {
	starting := ctx
	ctx, give := context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(starting, give)()
	writers, err := workload.Start(ctx, workload.Options{
		Addr: o.Addr, Username: o.Client.User, Password: o.Client.Password, Dial: o.Dial,
		Writers: o.Clients, Every: o.every(), ValueSize: o.ValueSize, KeyPrefix: keys,
	})
	if err != nil {
		give()
		return nil, fmt.Errorf("the load could not start through %s: %w", o.Addr, err)
	}
	l := &load{give: give, writers: writers}
	for range o.Readers {
		l.readers = append(l.readers, writers.StartPacedReader(ctx, o.source(), readEvery))
	}
	l.pinger = workload.StartPingerAt(ctx, o.source(), pingEvery)
	return l, nil
}

func (l *load) stop() loaded {
	seen := loaded{pings: l.pinger.Stop()}
	for _, r := range l.readers {
		seen.reads = append(seen.reads, r.Stop())
	}
	seen.record = l.writers.Stop(grace)
	l.give()
	return seen
}

// keys lists the lists of a load.
func (o *Options) keys(prefix string) []string {
	keys := make([]string, o.Clients)
	for i := range keys {
		keys[i] = prefix + strconv.Itoa(i)
	}
	return keys
}

// tryProxy says whether the proxy answers, lets lists be written, and has none of
// our keys.
func (o *Options) tryProxy(ctx context.Context, prefix string) error {
	c, err := o.proxy().connect(ctx)
	if err != nil {
		return fmt.Errorf("the proxy at %s: %w", o.Addr, err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	probe := prefix + "probe"
	for _, command := range [][]string{{"PING"}, {"EXISTS", probe}, {"RPUSH", probe, "1"}, {"LLEN", probe}, {"LRANGE", probe, "0", "-1"}, {"UNLINK", probe}} {
		reply, err := c.Do(ctx, command...)
		if err != nil {
			return fmt.Errorf("the proxy at %s answers %s with: %w", o.Addr, command[0], err)
		}
		if n, isNumber := reply.(int64); isNumber && (command[0] == "EXISTS") != (n == 0) {
			return fmt.Errorf("the proxy at %s answers %s with %d: the keys %s* are not this drill's alone", o.Addr, command[0], n, prefix)
		}
	}
	return nil
}

// scrub deletes lists through the proxy.
func (o *Options) scrub(ctx context.Context, keys []string) error {
	ctx, cancel := context.WithTimeout(ctx, scrubTimeout)
	defer cancel()
	c, err := o.proxy().connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	const batch = 100
	for len(keys) > 0 {
		n := min(batch, len(keys))
		if _, err := c.Do(ctx, append([]string{"UNLINK"}, keys[:n]...)...); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// readBack reads a load's lists from the master that the Sentinels announce, past
// the proxy, and judges. It tries until ctx ends: a new master may be late.
func (o *Options) readBack(ctx context.Context, record *workload.Record) (*workload.Audit, error) {
	complaint := fmt.Errorf("no majority of the Sentinels announces a master")
	for {
		if master := o.announced(ctx); master != "" {
			audit, err := o.readFrom(ctx, record, master)
			if err == nil {
				return audit, nil
			}
			if ctx.Err() == nil {
				complaint = err
			}
		}
		if !sleep(ctx, 200*time.Millisecond) {
			return nil, complaint
		}
	}
}

func (o *Options) readFrom(ctx context.Context, record *workload.Record, master string) (*workload.Audit, error) {
	if r := askRole(ctx, o.nodeAt(master)); r.word != "master" && r.err == nil {
		return nil, fmt.Errorf("%s is announced but %s", master, r.says())
	}
	from := o.source()
	from.Addr, from.Dial = master, o.dialNode()
	return record.Audit(ctx, from)
}
