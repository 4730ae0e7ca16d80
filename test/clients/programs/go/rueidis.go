package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

type rueidisClient struct{ c rueidis.Client }

func newRueidis() (rueidisClient, error) {
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, ConnWriteTimeout: patience})
	return rueidisClient{c}, err
}

func (g rueidisClient) id() int64 {
	id, _ := g.c.Do(ctx, g.c.B().ClientId().Build()).AsInt64() // 0 is no id
	return id
}

func (g rueidisClient) push(list, value string) error {
	return g.c.Do(ctx, g.c.B().Rpush().Key(list).Element(value).Build()).Error()
}

func (g rueidisClient) transact(list, value string) error {
	for _, reply := range g.c.DoMulti(ctx, g.c.B().Multi().Build(), g.c.B().Rpush().Key(list).Element(value).Build(), g.c.B().Exec().Build()) {
		if err := reply.Error(); err != nil {
			return err
		}
	}
	return nil
}

func (g rueidisClient) pop(list string) (string, error) {
	got, err := g.c.Do(ctx, g.c.B().Blpop().Key(list).Timeout(1).Build()).AsStrSlice()
	if rueidis.IsRedisNil(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return got[1], nil
}

func (g rueidisClient) close() { g.c.Close() }

// caching sets a value with one client and waits until the cache of another has it: it may
// never show an older value for long.
func caching(r *report, name string) error {
	c, err := newRueidis()
	if err != nil {
		return err
	}
	defer c.close()
	writer, err := newRueidis()
	if err != nil {
		return err
	}
	defer writer.close()
	key := name + ":cached"
	for going() {
		set := false
		r.write(func(value string) error {
			err := writer.c.Do(ctx, writer.c.B().Set().Key(key).Value(value).Build()).Error()
			set = err == nil
			return err
		})
		if !set {
			continue
		}
		for limit, seen := time.Now().Add(10*time.Second), 0; seen < 3; {
			began := time.Now()
			reply := c.c.DoCache(ctx, c.c.B().Get().Key(key).Cache(), time.Hour)
			got, err := reply.ToString()
			if reply.IsCacheHit() {
				r.Figures["from the cache"]++
			}
			if !r.took(began, err) {
				break
			}
			if got == strconv.Itoa(r.Sent) {
				seen++
				continue
			}
			if time.Now().After(limit) {
				return fmt.Errorf("still %s instead of %d", got, r.Sent)
			}
			time.Sleep(time.Millisecond)
		}
	}
	r.Doubt = nil // there is no list
	return nil
}
