package sentinel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// quietFor is how long a subscription may be silent before it is pinged, so that
// a connection whose other end has gone without a word is noticed.
const quietFor = 2 * time.Second

// errForbidden: the Sentinel is there but its ACL forbids SUBSCRIBE.
var errForbidden = errors.New("SUBSCRIBE is forbidden")

// subscribe listens to one Sentinel's events on a connection of its own until
// that fails or ctx ends, and always returns why. on is called once the
// subscription stands, told for every event.
func subscribe(ctx context.Context, o *Options, addr string, on func(), told func(event)) error {
	client := redis.NewSentinelClient(sentinelOptions(ctx, o, addr))
	defer client.Close()
	sub := client.Subscribe(ctx)
	defer sub.Close()
	defer context.AfterFunc(ctx, func() { sub.Close() })()
	if err := sub.Subscribe(ctx, channels...); err != nil {
		return err
	}
	confirmed, pinged := 0, false
	for {
		wait := quietFor
		if pinged || confirmed < len(channels) {
			wait = o.Timeout
		}
		msg, err := receive(ctx, sub, wait)
		if err != nil {
			if !isTimeout(err) || pinged || confirmed < len(channels) || ctx.Err() != nil {
				return refusal(err)
			}
			if err := sub.Ping(ctx); err != nil {
				return err
			}
			pinged = true
			continue
		}
		pinged = false
		switch msg := msg.(type) {
		case *redis.Subscription:
			if confirmed++; confirmed == len(channels) {
				on()
			}
		case *redis.Message:
			if ev, ok := parseEvent(o, msg.Channel, msg.Payload); ok {
				told(ev)
			}
		}
	}
}

// receive is ReceiveTimeout, with a malformed message as an error: go-redis
// asserts the types inside Pub/Sub messages and panics on others.
func receive(ctx context.Context, sub *redis.PubSub, wait time.Duration) (msg any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed Pub/Sub message: %v", r)
		}
	}()
	return sub.ReceiveTimeout(ctx, wait)
}

func refusal(err error) error {
	if replyIs(err, "NOPERM", "ERR unknown command") {
		return fmt.Errorf("%w: %s", errForbidden, plain(err))
	}
	return err
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
