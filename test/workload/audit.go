package workload

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"steadis/test/workload/wire"
)

// Audit is the verdict on a load, after its lists were read back.
type Audit struct {
	Sent         int
	Acknowledged int
	// Lost were acknowledged and are absent.
	Lost int
	// Doubled counts values that are present again after they were seen once.
	Doubled int
	// Reordered counts values that stand behind a greater one.
	Reordered int
	// Alien counts elements that no writer ever sent.
	Alien int
	// UnknownPresent and UnknownAbsent are the writes without a clear answer
	// (INDOUBT, dropped, given up), by whether they ran.
	UnknownPresent, UnknownAbsent int
	// RefusedPresent were answered with an error that says they did not run, but
	// they did.
	RefusedPresent int
	// Errors counts error replies by prefix; Texts has one example of each.
	Errors map[string]int
	Texts  map[string]string
	// Dropped counts lost connections, DropCauses says why.
	Dropped    int
	DropCauses []string
	// MostInDoubt is the greatest number of INDOUBT replies on one connection.
	MostInDoubt int
	// Examples names some of the values that were lost, doubled or reordered.
	Examples []string

	Timing
}

// maxExamples bounds Audit.Examples.
const maxExamples = 10

// Flawless says whether nothing was lost, doubled, reordered, dropped, invented
// or falsely refused. Errors and writes in doubt are not flaws by themselves.
func (a *Audit) Flawless() bool {
	return a.Lost+a.Doubled+a.Reordered+a.Alien+a.RefusedPresent+a.Dropped == 0
}

// String gives the verdict in one line.
func (a *Audit) String() string {
	return fmt.Sprintf("%d acknowledged, %d lost, %d doubled, %d reordered, %d in doubt (%d ran), %d dropped, errors %v, longest wait %v",
		a.Acknowledged, a.Lost, a.Doubled, a.Reordered, a.UnknownPresent+a.UnknownAbsent, a.UnknownPresent,
		a.Dropped, a.Errors, a.LongestWait.Round(time.Millisecond))
}

// Audit reads the lists back from one server and judges the load. It waits at
// most until ctx ends.
func (r *Record) Audit(ctx context.Context, from Source) (*Audit, error) {
	c, err := dial(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	defer c.Close()
	lists := make(map[string][]string, len(r.Writers))
	for _, w := range r.Writers {
		list, err := readList(ctx, c, w.Key, r.ValueSize)
		if err != nil {
			return nil, fmt.Errorf("audit: read %s from %s: %w", w.Key, from.Addr, err)
		}
		lists[w.Key] = list
	}
	return r.Judge(lists), nil
}

// readList reads the numbers of a list in pieces, so that no reply is very large.
func readList(ctx context.Context, c *wire.Conn, key string, valueSize int) ([]string, error) {
	piece := max(1, min(20000, (4<<20)/max(1, valueSize)))
	var list []string
	for {
		first, last := len(list), len(list)+piece-1
		reply, err := c.Do(ctx, "LRANGE", key, strconv.Itoa(first), strconv.Itoa(last))
		if err != nil {
			return nil, err
		}
		part := wire.Strings(reply)
		for _, element := range part {
			list = append(list, numberOf(element, valueSize))
		}
		if len(part) < piece {
			return list, nil
		}
	}
}

// Judge compares the record with the lists by key. It is pure.
func (r *Record) Judge(lists map[string][]string) *Audit {
	a := &Audit{Errors: map[string]int{}, Texts: map[string]string{}, Timing: r.timing()}
	for i := range r.Writers {
		w := &r.Writers[i]
		present := a.readBack(w, lists[w.Key])
		a.compare(w, present)
		for prefix, n := range w.Errors {
			a.Errors[prefix] += n
			a.Texts[prefix] = w.Texts[prefix]
		}
		a.Dropped += w.Dropped
		a.DropCauses = append(a.DropCauses, w.DropCauses...)
		for _, n := range w.InDoubtPerConn {
			a.MostInDoubt = max(a.MostInDoubt, n)
		}
	}
	return a
}

// readBack notes which values are present, and what is wrong with the list itself.
func (a *Audit) readBack(w *WriterRecord, list []string) []bool {
	present := make([]bool, len(w.Ops)+1)
	greatest := 0
	for place, element := range list {
		value, err := strconv.Atoi(element)
		switch {
		case err != nil || value < 1 || value > len(w.Ops):
			a.Alien++
			a.example("%s[%d] = %.20q was never sent", w.Key, place, element)
			continue
		case present[value]:
			a.Doubled++
			a.example("%s[%d] = %d is there again", w.Key, place, value)
		case value < greatest:
			a.Reordered++
			a.example("%s[%d] = %d stands behind %d", w.Key, place, value, greatest)
		}
		present[value] = true
		greatest = max(greatest, value)
	}
	return present
}

// compare holds what the writer was told against what is present.
func (a *Audit) compare(w *WriterRecord, present []bool) {
	a.Sent += len(w.Ops)
	for i, op := range w.Ops {
		there := present[i+1]
		switch op.Outcome {
		case Acknowledged:
			a.Acknowledged++
			if !there {
				a.Lost++
				a.example("%s: %d, acknowledged at %v, is lost", w.Key, i+1, op.Sent+op.Wait)
			}
		case Refused:
			if there {
				a.RefusedPresent++
				a.example("%s: %d was refused at %v and is there", w.Key, i+1, op.Sent+op.Wait)
			}
		case Unknown, InDoubt:
			if there {
				a.UnknownPresent++
			} else {
				a.UnknownAbsent++
			}
		}
	}
}

func (a *Audit) example(format string, args ...any) {
	if len(a.Examples) < maxExamples {
		a.Examples = append(a.Examples, fmt.Sprintf(format, args...))
	}
}

// ErrorsText gives all error replies and causes of drops, for a failed test.
func (a *Audit) ErrorsText() string {
	var b strings.Builder
	for prefix, n := range a.Errors {
		fmt.Fprintf(&b, "%d x -%s: %s\n", n, prefix, a.Texts[prefix])
	}
	for _, cause := range a.DropCauses {
		fmt.Fprintf(&b, "dropped: %s\n", cause)
	}
	return b.String()
}
