package conformance

import (
	"bytes"
	"fmt"
	"slices"
)

// mismatch is a difference that may not be.
type mismatch struct {
	owned
	direct, front string // the frames that differ first
	why           string
}

const (
	noReply   = "(nothing)"
	connEnded = "(connection closed)"
	connOpen  = "(connection open)"
)

// judge compares what one client got. It follows the state of the connection, so
// it must see every exchange. Nil means that nothing differs that may not.
func (c *client) judge(commands [][]string, a answer) *mismatch {
	owners := c.owner.assign(commands, a.direct)
	for _, w := range owners {
		consulted(w)
	}
	if a.same() {
		return nil
	}
	for i := range min(len(a.direct), len(a.front)) {
		if bytes.Equal(a.direct[i], a.front[i]) {
			continue
		}
		if why := reconcile(owners[i], a.direct[i], a.front[i]); why != "" {
			return &mismatch{owners[i], string(a.direct[i]), string(a.front[i]), why}
		}
	}
	var last owned
	if len(commands) > 0 {
		last = owned{name: nameOf(commands[len(commands)-1]), command: commands[len(commands)-1]}
	}
	if a.directClosed && a.frontClosed {
		a.front = c.withoutUnsent(a.front, len(a.direct))
	}
	switch d, f := len(a.direct), len(a.front); {
	case d > f:
		return &mismatch{owners[f], string(a.direct[f]), silence(a.frontClosed), fmt.Sprintf("%d replies of %d", f, d)}
	case d < f:
		return &mismatch{last, silence(a.directClosed), string(a.front[d]), fmt.Sprintf("%d replies instead of %d", f, d)}
	case a.directClosed != a.frontClosed && !mayEnd(last):
		return &mismatch{last, end(a.directClosed), end(a.frontClosed), "how it ends"}
	}
	return nil
}

// withoutUnsent leaves out the messages beyond the first n replies that Redis need
// not have delivered.
func (c *client) withoutUnsent(frames [][]byte, n int) [][]byte {
	for len(frames) > n {
		frame := frames[len(frames)-1]
		if k, err := cut(frame); k == 0 || err != nil {
			break
		}
		w := owned{name: c.owner.unasked(parse(frame))}
		i := slices.IndexFunc(differences, func(d *difference) bool { return d.unsent && d.about(w) })
		if i < 0 {
			break
		}
		differences[i].used.Store(true)
		frames = frames[:len(frames)-1]
	}
	return frames
}

// consulted notes the entries that a reply may need but does not always.
func consulted(w owned) {
	for _, diff := range differences {
		if diff.sometimes && !diff.used.Load() && diff.about(w) {
			diff.used.Store(true)
		}
	}
	for _, inner := range w.items {
		consulted(inner)
	}
}

func mayEnd(w owned) bool {
	for _, diff := range differences {
		if diff.ends && diff.about(w) {
			diff.used.Store(true)
			return true
		}
	}
	return false
}

func silence(closed bool) string {
	if closed {
		return connEnded
	}
	return noReply
}

func end(closed bool) string {
	if closed {
		return connEnded
	}
	return connOpen
}

// reconcile compares two frames as far as the table of differences wants them
// equal. It says why they may not differ so, or "".
func reconcile(w owned, direct, front []byte) string {
	if n, err := cut(direct); n == 0 || err != nil {
		return "bytes"
	}
	if n, err := cut(front); n == 0 || err != nil {
		return "not RESP"
	}
	d, f := parse(direct), parse(front)
	return reconcileNodes(w, &d, &f)
}

func reconcileNodes(w owned, d, f *node) string {
	if d.kind == '*' && f.kind == '*' && len(d.items) == len(f.items) && len(d.items) == len(w.items) {
		for i, inner := range w.items {
			if d.items[i].render() == f.items[i].render() {
				continue
			}
			if why := reconcileNodes(inner, &d.items[i], &f.items[i]); why != "" {
				return fmt.Sprintf("%s, reply %d of EXEC", why, i+1)
			}
		}
	}
	known := false
	for _, diff := range differences {
		if diff.level != nil && diff.about(w) {
			known = true
			before := d.render() == f.render()
			diff.level(d, f)
			if !before && d.render() == f.render() {
				diff.used.Store(true)
			}
		}
	}
	switch {
	case d.render() == f.render():
		return ""
	case known:
		return "more than may differ"
	}
	return "bytes"
}
