package main

import (
	"errors"

	"github.com/gomodule/redigo/redis"
)

// redigo is its pool, from which each command takes a connection, as its documentation shows.
type redigo struct{ pool *redis.Pool }

func newRedigo() redigo {
	return redigo{&redis.Pool{MaxIdle: 1, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", addr) }}}
}

func (g redigo) do(command string, args ...any) (any, error) {
	c := g.pool.Get()
	defer c.Close()
	return c.Do(command, args...)
}

func (g redigo) id() int64 {
	id, _ := redis.Int64(g.do("CLIENT", "ID")) // 0 is no id
	return id
}

func (g redigo) push(list, value string) error {
	_, err := g.do("RPUSH", list, value)
	return err
}

func (g redigo) transact(list, value string) error {
	c := g.pool.Get()
	defer c.Close()
	err := errors.Join(c.Send("MULTI"), c.Send("RPUSH", list, value), c.Send("SET", list+":last", value))
	if err != nil {
		return err
	}
	_, err = c.Do("EXEC")
	return err
}

func (g redigo) pop(list string) (string, error) {
	got, err := redis.Strings(g.do("BLPOP", list, 1))
	if errors.Is(err, redis.ErrNil) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return got[1], nil
}

func (g redigo) close() { _ = g.pool.Close() }
