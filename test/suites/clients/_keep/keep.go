// keep uses go-redis and rueidis with their defaults for a while, during which the master
// changes, and reports as report.py describes: no command may fail, no connection may be
// lost, no value may be stale, and neither library may log anything.
//
//	keep SECONDS
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

const addr = "127.0.0.1:6379"

var ctx = context.Background()

// report prints a line for what was checked.
func report(name string, err error) {
	if err == nil {
		fmt.Printf("pass\t%s\n", name)
		return
	}
	fmt.Printf("fail\t%s\t%s\n", name, strings.Join(strings.Fields(err.Error()), " "))
}

// said collects what go-redis logs.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) Printf(_ context.Context, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *said) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) == 0 {
		return nil
	}
	return fmt.Errorf("%d lines: %s", len(s.lines), s.lines[0])
}

func main() {
	seconds, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	until := time.Now().Add(time.Duration(seconds) * time.Second)
	log := &said{}
	redis.SetLogger(log)
	checks := []struct {
		name string
		run  func(until time.Time) error
	}{
		{"go-redis: commands, pipelines, transactions", goRedisCommands},
		{"go-redis: publish and subscribe", goRedisPubSub},
		{"go-redis: blocking", goRedisBlocking},
		{"rueidis: commands", rueidisCommands},
		{"rueidis: client-side caching", rueidisCaching},
		{"rueidis: publish and subscribe", rueidisPubSub},
		{"rueidis: blocking", rueidisBlocking},
	}
	var running sync.WaitGroup
	for _, c := range checks {
		running.Go(func() { report(c.name, c.run(until)) })
	}
	running.Wait()
	report("go-redis: logs nothing", log.err())
}

func goRedisCommands(until time.Time) error {
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	id := c.ClientID(ctx).Val()
	n := int64(0)
	for ; time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		n++
		got, err := c.Incr(ctx, "go-redis:n").Result()
		if err != nil || got != n {
			return fmt.Errorf("INCR %d: %d, %v", n, got, err)
		}
		if _, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.RPush(ctx, "go-redis:list", n)
			p.Get(ctx, "go-redis:n")
			return nil
		}); err != nil {
			return fmt.Errorf("transaction %d: %w", n, err)
		}
	}
	if length := c.LLen(ctx, "go-redis:list").Val(); length != n {
		return fmt.Errorf("%d of %d elements", length, n)
	}
	if now := c.ClientID(ctx).Val(); now != id {
		return fmt.Errorf("another connection: %d after %d", now, id)
	}
	return nil
}

// numbers checks messages: each once, in order; only those of the moment when the master
// changes may be missing, as PUBLISH promises no more.
type numbers struct{ last, missing int64 }

func (n *numbers) add(payload string) error {
	got, err := strconv.ParseInt(payload, 10, 64)
	if err != nil || got <= n.last {
		return fmt.Errorf("%q after %d", payload, n.last)
	}
	n.missing += got - n.last - 1
	n.last = got
	return nil
}

func (n *numbers) end(sent int64) error {
	if n.last != sent || n.missing > sent/10 {
		return fmt.Errorf("sent up to %d, seen up to %d, %d missing", sent, n.last, n.missing)
	}
	return nil
}

func goRedisPubSub(until time.Time) error {
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	sub := c.Subscribe(ctx, "go-redis:channel")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		return err
	}
	var seen numbers
	sent := int64(0)
	for ; time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		sent++
		heard, err := c.Publish(ctx, "go-redis:channel", sent).Result()
		if err != nil {
			return fmt.Errorf("PUBLISH %d: %w", sent, err)
		}
		if heard == 0 {
			continue
		}
		m, err := sub.ReceiveTimeout(ctx, 5*time.Second)
		if err != nil {
			return fmt.Errorf("message %d: %w", sent, err)
		}
		message, ok := m.(*redis.Message)
		if !ok {
			return fmt.Errorf("instead of message %d: %v", sent, m)
		}
		if err := seen.add(message.Payload); err != nil {
			return err
		}
	}
	return seen.end(sent)
}

func goRedisBlocking(until time.Time) error {
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	done := make(chan error, 1)
	go pop(done, func() (string, error) {
		got, err := c.BLPop(ctx, 0, "go-redis:queue").Result()
		if err != nil {
			return "", err
		}
		return got[1], nil
	})
	return push(until, done, func(value string) error { return c.RPush(ctx, "go-redis:queue", value).Err() })
}

// pop takes values until "end": 1, 2, 3 ...
func pop(done chan<- error, take func() (string, error)) {
	for n := 1; ; n++ {
		got, err := take()
		switch {
		case err != nil:
			done <- fmt.Errorf("BLPOP %d: %w", n, err)
			return
		case got == "end":
			done <- nil
			return
		case got != strconv.Itoa(n):
			done <- fmt.Errorf("popped %s instead of %d", got, n)
			return
		}
	}
}

func push(until time.Time, done <-chan error, give func(value string) error) error {
	for n := 1; time.Now().Before(until); n++ {
		if err := give(strconv.Itoa(n)); err != nil {
			return fmt.Errorf("RPUSH %d: %w", n, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := give("end"); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		return fmt.Errorf("the last elements were not popped")
	}
}

func newRueidis() (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}})
}

func rueidisCommands(until time.Time) error {
	c, err := newRueidis()
	if err != nil {
		return err
	}
	defer c.Close()
	id, _ := c.Do(ctx, c.B().ClientId().Build()).AsInt64()
	n := int64(0)
	for ; time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		n++
		got, err := c.Do(ctx, c.B().Incr().Key("rueidis:n").Build()).AsInt64()
		if err != nil || got != n {
			return fmt.Errorf("INCR %d: %d, %v", n, got, err)
		}
		for _, reply := range c.DoMulti(ctx, c.B().Rpush().Key("rueidis:list").Element(strconv.FormatInt(n, 10)).Build(),
			c.B().Llen().Key("rueidis:list").Build()) {
			if got, err := reply.AsInt64(); err != nil || got != n {
				return fmt.Errorf("RPUSH, LLEN %d: %d, %v", n, got, err)
			}
		}
	}
	if now, _ := c.Do(ctx, c.B().ClientId().Build()).AsInt64(); now != id {
		return fmt.Errorf("another connection: %d after %d", now, id)
	}
	return nil
}

// rueidisCaching sets a value with one client and waits until the cache of another has it.
func rueidisCaching(until time.Time) error {
	c, err := newRueidis()
	if err != nil {
		return err
	}
	defer c.Close()
	writer, err := newRueidis()
	if err != nil {
		return err
	}
	defer writer.Close()
	read := func() (string, bool, error) {
		reply := c.DoCache(ctx, c.B().Get().Key("rueidis:cached").Cache(), time.Hour)
		value, err := reply.ToString()
		return value, reply.IsCacheHit(), err
	}
	hits := 0
	for n := 1; time.Now().Before(until); n++ {
		want := strconv.Itoa(n)
		if err := writer.Do(ctx, writer.B().Set().Key("rueidis:cached").Value(want).Build()).Error(); err != nil {
			return fmt.Errorf("SET %d: %w", n, err)
		}
		for limit := time.Now().Add(5 * time.Second); ; {
			got, hit, err := read()
			if err != nil {
				return fmt.Errorf("GET %d: %w", n, err)
			}
			if got == want {
				if hit {
					hits++
				}
				break
			}
			if time.Now().After(limit) {
				return fmt.Errorf("still %s instead of %s, from the cache: %t", got, want, hit)
			}
			time.Sleep(time.Millisecond)
		}
		for range 3 {
			if got, hit, err := read(); err != nil || got != want {
				return fmt.Errorf("GET %d: %s, %v", n, got, err)
			} else if hit {
				hits++
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	if hits == 0 {
		return fmt.Errorf("nothing came from the cache")
	}
	return nil
}

func rueidisPubSub(until time.Time) error {
	c, err := newRueidis()
	if err != nil {
		return err
	}
	defer c.Close()
	messages := make(chan string, 100000)
	ended := make(chan error, 1)
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		ended <- c.Receive(inner, c.B().Subscribe().Channel("rueidis:channel").Build(), func(m rueidis.PubSubMessage) {
			messages <- m.Message
		})
	}()
	for heard := int64(0); heard == 0; time.Sleep(10 * time.Millisecond) {
		if heard, err = c.Do(ctx, c.B().Publish().Channel("rueidis:channel").Message("0").Build()).AsInt64(); err != nil {
			return err
		}
		if heard > 0 {
			break
		}
	}
	var seen numbers
	sent := int64(0)
	for ; time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		sent++
		heard, err := c.Do(ctx, c.B().Publish().Channel("rueidis:channel").Message(strconv.FormatInt(sent, 10)).Build()).AsInt64()
		if err != nil {
			return fmt.Errorf("PUBLISH %d: %w", sent, err)
		}
		for heard > 0 {
			select {
			case m := <-messages:
				if m == "0" {
					continue
				}
				if err := seen.add(m); err != nil {
					return err
				}
			case err := <-ended:
				return fmt.Errorf("the subscription ended: %w", err)
			case <-time.After(5 * time.Second):
				return fmt.Errorf("message %d has not come", sent)
			}
			break
		}
	}
	return seen.end(sent)
}

func rueidisBlocking(until time.Time) error {
	c, err := newRueidis()
	if err != nil {
		return err
	}
	defer c.Close()
	done := make(chan error, 1)
	go pop(done, func() (string, error) {
		got, err := c.Do(ctx, c.B().Blpop().Key("rueidis:queue").Timeout(0).Build()).AsStrSlice()
		if err != nil {
			return "", err
		}
		return got[1], nil
	})
	return push(until, done, func(value string) error {
		return c.Do(ctx, c.B().Rpush().Key("rueidis:queue").Element(value).Build()).Error()
	})
}
