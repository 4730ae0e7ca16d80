package main

import (
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

type goRedis struct{ c *redis.Client }

func newGoRedis() goRedis {
	return goRedis{redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: patience})}
}

func (g goRedis) id() int64 { return g.c.ClientID(ctx).Val() }

func (g goRedis) push(list, value string) error { return g.c.RPush(ctx, list, value).Err() }

func (g goRedis) transact(list, value string) error {
	_, err := g.c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.RPush(ctx, list, value)
		p.Set(ctx, list+":last", value, 0)
		return nil
	})
	return err
}

func (g goRedis) pop(list string) (string, error) {
	got, err := g.c.BLPop(ctx, time.Second, list).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return got[1], nil
}

func (g goRedis) close() { _ = g.c.Close() }
