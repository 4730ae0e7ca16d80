package faults

import (
	"context"
	"strconv"
	"time"

	"steadis/test/topology"
	"steadis/test/workload"
	"steadis/test/workload/wire"
)

// readLists reads what the writers' lists hold on a node.
func readLists(ctx context.Context, from *topology.Node, record *workload.Record) (map[string][]string, error) {
	c, err := from.Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	const piece = 20000
	lists := map[string][]string{}
	for _, w := range record.Writers {
		for {
			first := len(lists[w.Key])
			reply, err := c.Do(ctx, "LRANGE", w.Key, strconv.Itoa(first), strconv.Itoa(first+piece-1))
			if err != nil {
				return nil, err
			}
			part := wire.Strings(reply)
			lists[w.Key] = append(lists[w.Key], part...)
			if len(part) < piece {
				break
			}
		}
	}
	return lists, nil
}

// lostWrites gives the acknowledged writes that are missing.
func lostWrites(record *workload.Record, lists map[string][]string) []workload.Op {
	var lost []workload.Op
	for _, w := range record.Writers {
		there := map[string]bool{}
		for _, element := range lists[w.Key] {
			there[element] = true
		}
		for i, op := range w.Ops {
			if op.Outcome == workload.Acknowledged && !there[strconv.Itoa(i+1)] {
				lost = append(lost, op)
			}
		}
	}
	return lost
}

// sentAfter counts the writes that were sent after a moment.
func sentAfter(ops []workload.Op, record *workload.Record, moment time.Time) int {
	n := 0
	for _, op := range ops {
		if record.Began.Add(op.Sent).After(moment) {
			n++
		}
	}
	return n
}

// fullService is the time from a moment until every writer has had a write
// acknowledged, or the longest that a write sent after that moment waited, if that
// is more; false if one writer had none.
func fullService(record *workload.Record, from time.Time) (time.Duration, bool) {
	began := from.Sub(record.Began)
	slowest := time.Duration(0)
	for _, w := range record.Writers {
		first := time.Duration(-1)
		for _, op := range w.Ops {
			if op.Outcome != workload.Acknowledged {
				continue
			}
			if at := op.Sent + op.Wait - began; at >= 0 && (first < 0 || at < first) {
				first = at
			}
			if op.Sent >= began {
				slowest = max(slowest, op.Wait)
			}
		}
		if first < 0 {
			return 0, false
		}
		slowest = max(slowest, first)
	}
	return slowest, true
}
