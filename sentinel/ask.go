package sentinel

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// asker asks one Sentinel over one connection. Not for concurrent use.
type asker struct {
	o      *Options
	client *redis.SentinelClient
	stop   func() bool
	runid  string
	greet  bool // MYID has been asked
	last   answer
}

func newAsker(ctx context.Context, o *Options, addr string) *asker {
	c := redis.NewSentinelClient(sentinelOptions(ctx, o, addr))
	return &asker{o: o, client: c, stop: context.AfterFunc(ctx, func() { c.Close() })}
}

func (a *asker) close() {
	a.stop()
	a.client.Close()
}

// ask asks who the master is: MASTER first, then get-master-addr-by-name, see
// answer. asked is when the first question of the pair was sent. An error means
// that the connection must be given up.
func (a *asker) ask(ctx context.Context) (ans answer, asked time.Time, err error) {
	if !a.greet {
		if a.runid, err = a.myID(ctx); err != nil {
			return answer{}, asked, err
		}
		a.greet = true
	}
	asked = time.Now()
	ans, err = a.pair(ctx)
	// The address has changed and the epoch has not: most likely the Sentinel
	// switched between the two questions. Ask again rather than guess.
	if err == nil && a.last.known && ans.known && ans.addr != a.last.addr && ans.epoch == a.last.epoch {
		asked = time.Now()
		ans, err = a.pair(ctx)
	}
	a.last = ans
	return ans, asked, err
}

var errNonsense = errors.New("its reply to SENTINEL MASTER or get-master-addr-by-name makes no sense")

func (a *asker) pair(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*a.o.Timeout)
	defer cancel()
	fields, err := a.client.Master(ctx, a.o.Master).Result()
	if replyIs(err, "ERR No such master") {
		return answer{}, nil
	}
	if err != nil {
		return answer{}, err
	}
	hostport, err := a.client.GetMasterAddrByName(ctx, a.o.Master).Result()
	if errors.Is(err, redis.Nil) {
		return answer{}, nil
	}
	if err != nil {
		return answer{}, err
	}
	ans, ok := parseAnswer(a.o, fields, hostport)
	if !ok {
		return answer{}, errNonsense
	}
	return ans, nil
}

// myID asks the Sentinel for its own id; empty if it will not say (before 6.2,
// or by ACL).
func (a *asker) myID(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*a.o.Timeout)
	defer cancel()
	cmd := redis.NewStringCmd(ctx, "sentinel", "myid")
	_ = a.client.Process(ctx, cmd) // the error is cmd's
	id, err := cmd.Result()
	if replyIs(err, "ERR", "NOPERM", "NOAUTH") {
		return "", nil
	}
	if err != nil || !isRunID(id) {
		return "", err
	}
	return id, nil
}

// peers asks for the other Sentinels. refused: the ACL forbids it.
func (a *asker) peers(ctx context.Context) (peers []peer, refused bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*a.o.Timeout)
	defer cancel()
	rows, refused, err := unlessRefused(a.client.Sentinels(ctx, a.o.Master).Result())
	return parsePeers(a.o, rows), refused, err
}

// unlessRefused passes on what a question has led to. refused: the ACL forbids it, or it is
// not known; that is no error.
func unlessRefused(rows []map[string]string, err error) (_ []map[string]string, refused bool, _ error) {
	if replyIs(err, "ERR", "NOPERM", "NOAUTH") {
		return nil, true, nil
	}
	return rows, false, err
}
