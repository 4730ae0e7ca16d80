package faults

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"steadis/test/workload/wire"
)

// The checker's clients share a few lists, append to them and read them whole. The
// audit of test/workload needs lists with one writer each; here the order in
// which concurrent commands took effect must explain every reply.
const (
	checkedLists = 4
	appenders    = 2 // to each list
	checkerRests = 10 * time.Millisecond
)

// listState is what a list holds: how many elements, and a digest of them in
// their order.
type listState struct {
	length int
	digest uint64
}

func (s listState) with(element string) listState {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s", s.digest, element)
	return listState{s.length + 1, h.Sum64()}
}

// listInput is one command: an append, or a read if element is empty.
type listInput struct{ list, element string }

// listOutput is its reply. An append without a clear answer is open: it took
// effect at some time after it was sent, or at the end of all, which nobody sees.
type listOutput struct {
	open  bool
	state listState // after an append only the length is known
}

// never is when a command without a clear answer returns.
const never = int64(1) << 62

// listModel is a list to which RPUSH appends and which LRANGE reads.
var listModel = porcupine.Model{
	Partition: byList,
	Init:      func() any { return listState{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(listState), input.(listInput), output.(listOutput)
		if in.element == "" {
			return s == out.state, s
		}
		next := s.with(in.element)
		return out.open || next.length == out.state.length, next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

func byList(history []porcupine.Operation) [][]porcupine.Operation {
	lists := map[string][]porcupine.Operation{}
	for _, op := range history {
		list := op.Input.(listInput).list
		lists[list] = append(lists[list], op)
	}
	var parts [][]porcupine.Operation
	for _, part := range lists {
		parts = append(parts, part)
	}
	return parts
}

// checker is the clients at work.
type checker struct {
	addr, prefix string
	began        time.Time
	end          context.CancelFunc
	all          sync.WaitGroup

	mu      sync.Mutex // guards history
	history []porcupine.Operation
}

// startChecker starts the clients; their lists are new with each prefix.
func startChecker(ctx context.Context, addr, prefix string) *checker {
	ctx, end := context.WithCancel(ctx)
	c := &checker{addr: addr, prefix: prefix, began: time.Now(), end: end}
	for client := range checkedLists * (appenders + 1) {
		c.all.Add(1)
		go c.run(ctx, client)
	}
	return c
}

// stop ends the clients and gives the history of what they saw.
func (c *checker) stop() []porcupine.Operation {
	c.end()
	c.all.Wait()
	return c.history
}

func (c *checker) list(client int) string { return c.prefix + strconv.Itoa(client%checkedLists) }

// run is one client. It connects again when its connection is lost.
func (c *checker) run(ctx context.Context, client int) {
	defer c.all.Done()
	ticker := time.NewTicker(checkerRests)
	defer ticker.Stop()
	var conn *wire.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if conn == nil {
			conn, _ = wire.Dial(ctx, c.addr) // nil again if it fails: the next tick tries again
		}
		if conn == nil {
			continue
		}
		in := listInput{list: c.list(client)}
		if client/checkedLists < appenders {
			in.element = fmt.Sprintf("%d-%d", client, n)
		}
		if c.command(ctx, conn, client, in) != nil {
			_ = conn.Close()
			conn = nil
		}
	}
}

// command sends one command and records it. An error means that the connection
// is of no more use.
func (c *checker) command(ctx context.Context, conn *wire.Conn, client int, in listInput) error {
	op := porcupine.Operation{ClientId: client, Input: in, Call: int64(time.Since(c.began))}
	var reply any
	var err error
	if in.element == "" {
		reply, err = conn.Do(ctx, "LRANGE", in.list, "0", "-1")
	} else {
		reply, err = conn.Do(ctx, "RPUSH", in.list, in.element)
	}
	op.Return = int64(time.Since(c.began))
	var refusal wire.Error
	refused := errors.As(err, &refusal)
	switch {
	case in.element == "" && err != nil:
		return ifNot(refused, err) // a read without an answer says nothing
	case in.element == "":
		op.Output = listOutput{state: stateOf(wire.Strings(reply))}
	case refused && !openEnded(refusal):
		return nil // it says that it did not run: if it did, other replies betray it
	case err != nil:
		op.Output, op.Return = listOutput{open: true}, never
	default:
		length, _ := reply.(int64)
		op.Output = listOutput{state: listState{length: int(length)}}
	}
	c.mu.Lock()
	c.history = append(c.history, op)
	c.mu.Unlock()
	return ifNot(refused, err)
}

func ifNot(refused bool, err error) error {
	if refused {
		return nil
	}
	return err
}

// openEnded says whether an error reply leaves open whether the write will stay.
func openEnded(e wire.Error) bool {
	return e.Prefix() == prefixInDoubt || e.Prefix() == prefixUnconfirmed
}

// The errors of steadis that leave it open what became of a write.
const (
	prefixInDoubt     = "INDOUBT"
	prefixUnconfirmed = "UNCONFIRMED"
)

func stateOf(list []string) listState {
	var s listState
	for _, element := range list {
		s = s.with(element)
	}
	return s
}

// checkPatience is how long porcupine may think.
const checkPatience = 60 * time.Second

// linearizable says whether some order of all commands, each somewhere between
// its call and its return, explains every reply.
func linearizable(history []porcupine.Operation) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(listModel, history, checkPatience)
}

// The referee itself: histories of which the verdict is known.
func TestLinearizable(t *testing.T) {
	push := func(element string, call, back int64, length int) porcupine.Operation {
		return porcupine.Operation{Input: listInput{"l", element}, Call: call, Return: back, Output: listOutput{state: listState{length: length}}}
	}
	doubt := func(element string, call int64) porcupine.Operation {
		return porcupine.Operation{Input: listInput{"l", element}, Call: call, Return: never, Output: listOutput{open: true}}
	}
	read := func(call, back int64, list ...string) porcupine.Operation {
		return porcupine.Operation{Input: listInput{list: "l"}, Call: call, Return: back, Output: listOutput{state: stateOf(list)}}
	}
	for _, tc := range []struct {
		name    string
		history []porcupine.Operation
		want    porcupine.CheckResult
	}{
		{"in order", []porcupine.Operation{push("a", 0, 1, 1), push("b", 2, 3, 2), read(4, 5, "a", "b")}, porcupine.Ok},
		{"concurrent, the other way round", []porcupine.Operation{push("a", 0, 9, 2), push("b", 1, 8, 1), read(10, 11, "b", "a")}, porcupine.Ok},
		{"lost", []porcupine.Operation{push("a", 0, 1, 1), push("b", 2, 3, 2), read(4, 5, "a")}, porcupine.Illegal},
		{"lost, seen by the next length", []porcupine.Operation{push("a", 0, 1, 1), push("b", 2, 3, 1)}, porcupine.Illegal},
		{"doubled", []porcupine.Operation{push("a", 0, 1, 1), read(2, 3, "a", "a")}, porcupine.Illegal},
		{"stale read", []porcupine.Operation{push("a", 0, 1, 1), push("b", 2, 3, 2), read(4, 5, "a"), read(6, 7, "a", "b")}, porcupine.Illegal},
		{"in doubt, ran", []porcupine.Operation{doubt("a", 0), push("b", 2, 3, 2), read(4, 5, "a", "b")}, porcupine.Ok},
		{"in doubt, did not run", []porcupine.Operation{doubt("a", 0), push("b", 2, 3, 1), read(4, 5, "b")}, porcupine.Ok},
		{"in doubt, ran late", []porcupine.Operation{doubt("a", 0), push("b", 2, 3, 1), read(4, 5, "b"), read(6, 7, "b", "a")}, porcupine.Ok},
		{"in doubt, ran twice", []porcupine.Operation{doubt("a", 0), read(4, 5, "a"), read(6, 7, "a", "a")}, porcupine.Illegal},
		{"in doubt, came and went", []porcupine.Operation{doubt("a", 0), read(4, 5, "a"), read(6, 7)}, porcupine.Illegal},
	} {
		if got := linearizable(tc.history); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}
