// uses works with go-redis, rueidis and redigo, with their defaults, until the standard
// input ends, while the master changes. For each act it prints a report: see report in
// program_test.go.
//
//	uses go-redis|rueidis|redigo
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"
)

var ctx = context.Background()

var addr = "127.0.0.1:" + os.Getenv("REDIS_PORT")

// patience is how long a command may take, if TIMEOUT says it; else 0, for the library's own.
var patience, _ = time.ParseDuration(os.Getenv("TIMEOUT") + "s")

// over is closed when the standard input has ended.
var over = make(chan struct{})

func going() bool {
	select {
	case <-over:
		return false
	case <-time.After(10 * time.Millisecond):
		return true
	}
}

// report is what became of an act. Its methods may be called concurrently.
type report struct {
	Act           string         `json:"act"`
	List          string         `json:"list"`
	Sent          int            `json:"sent"`
	Doubt         []int          `json:"doubt"`
	Told          map[string]int `json:"told"`
	Reconnects    int            `json:"reconnects"`
	Slowest       float64        `json:"slowest"`
	Lost, Doubled int
	Wrong         []string       `json:"wrong"`
	Figures       map[string]int `json:"figures"`

	mu sync.Mutex // guards Told and Slowest
}

// took notes how long a command took, and its error.
func (r *report) took(began time.Time, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Slowest = max(r.Slowest, time.Since(began).Seconds())
	if err != nil {
		r.Told[fmt.Sprintf("%.160s", err.Error())]++
	}
	return err == nil
}

// write sends the next number.
func (r *report) write(send func(value string) error) {
	r.Sent++
	began := time.Now()
	if !r.took(began, send(strconv.Itoa(r.Sent))) {
		r.Doubt = append(r.Doubt, r.Sent)
	}
}

// library is what a library can do.
type library interface {
	// id is that of the connection for plain commands; 0 if the library has several.
	id() int64
	push(list, value string) error
	// transact appends to the list in a transaction.
	transact(list, value string) error
	// pop waits for an element, for a second at most; empty if none came.
	pop(list string) (string, error)
	close()
}

func newLibrary(name string) (library, error) {
	switch name {
	case "go-redis":
		return newGoRedis(), nil
	case "rueidis":
		return newRueidis()
	case "redigo":
		return newRedigo(), nil
	}
	return nil, fmt.Errorf("no library %q", name)
}

func main() {
	name := os.Args[1]
	acts := map[string]func(*report, string) error{
		"writes": appends("writes", library.push), "transactions": appends("transactions", library.transact), "blocking": blocking,
	}
	if name == "rueidis" {
		acts["caching"] = caching
	}
	var players sync.WaitGroup
	var mu sync.Mutex // guards the standard output
	for act, run := range acts {
		players.Go(func() {
			r := &report{Act: act, Told: map[string]int{}, Figures: map[string]int{}}
			if err := run(r, name); err != nil {
				r.Wrong = append(r.Wrong, err.Error())
			}
			line, _ := json.Marshal(r) // nothing in it can fail
			mu.Lock()
			defer mu.Unlock()
			fmt.Println(string(line))
		})
	}
	mu.Lock()
	fmt.Println("ready")
	mu.Unlock()
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that matters
	close(over)
	players.Wait()
}

// appends is an act that appends number after number to a list of its own by send.
func appends(act string, send func(c library, list, value string) error) func(*report, string) error {
	return func(r *report, name string) error {
		c, err := newLibrary(name)
		if err != nil {
			return err
		}
		defer c.close()
		r.List = name + ":" + act
		first := c.id()
		for going() {
			r.write(func(value string) error { return send(c, r.List, value) })
		}
		if c.id() != first {
			r.Reconnects = 1
		}
		return nil
	}
}

func blocking(r *report, name string) error {
	giver, err := newLibrary(name)
	if err != nil {
		return err
	}
	defer giver.close()
	taker, err := newLibrary(name)
	if err != nil {
		return err
	}
	defer taker.close()
	key, popped := name+":queue", map[int]int{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			value, err := taker.pop(key)
			r.took(time.Now(), err) // how long it waits is its own affair
			if value == "end" {
				return
			}
			if n, err := strconv.Atoi(value); err == nil {
				popped[n]++
			}
		}
	}()
	for going() {
		r.write(func(value string) error { return giver.push(key, value) })
	}
	for giver.push(key, "end") != nil {
	}
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		return fmt.Errorf("the last elements were not popped")
	}
	for _, n := range r.Doubt {
		popped[n] += 0
	}
	for n := 1; n <= r.Sent; n++ {
		if _, known := popped[n]; !known {
			r.Lost++
		}
		if popped[n] > 1 {
			r.Doubled++
		}
	}
	return nil
}
