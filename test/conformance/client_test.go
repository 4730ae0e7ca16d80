package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
)

// client is one client, of the direct server and of steadis at once: whatever it
// sends goes to both. It is for one goroutine.
type client struct {
	p             *pair
	direct, front *socket
	id            string // on the direct server
	frontID       string // on the second side; empty until identify
	owner         owner
}

// newClient connects to both sides. Nothing is sent.
func (p *pair) newClient() (*client, error) {
	c := &client{p: p, owner: owner{proto: 2}}
	var err error
	if c.direct, err = dial(p.direct.Nodes[0].Addr()); err != nil {
		return nil, err
	}
	if c.front, err = dial(p.front); err != nil {
		c.direct.close()
		return nil, err
	}
	if c.id, err = p.idOf(c.direct.nc.LocalAddr().String()); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *client) close() {
	c.direct.close()
	c.front.close()
}

// idOf looks the client with an address up at the direct server, once that has
// accepted it.
func (p *pair) idOf(addr string) (string, error) {
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		list, err := do(p.plain, "CLIENT", "LIST")
		if err != nil {
			return "", err
		}
		for line := range strings.SplitSeq(fmt.Sprint(list), "\n") {
			if f := fields(line); f["addr"] == addr {
				return f["id"], nil
			}
		}
	}
	return "", errors.New("the direct server does not know the new client")
}

// identify asks both sides for the client's id.
func (c *client) identify() error {
	a, _, err := c.exchange(nil, encode("CLIENT", "ID"), false)
	if err != nil {
		return err
	}
	if len(a.front) != 1 || a.front[0][0] != ':' {
		return fmt.Errorf("CLIENT ID answers %q", a.front)
	}
	c.frontID = strings.TrimSpace(string(a.front[0][1:]))
	return nil
}

// fields reads a line of CLIENT LIST.
func fields(line string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimSpace(line), " ") {
		name, value, _ := strings.Cut(part, "=")
		out[name] = value
	}
	return out
}

// answer is what one client got from both sides, cut into frames.
type answer struct {
	direct, front             [][]byte
	directClosed, frontClosed bool
}

func (a answer) same() bool {
	return a.directClosed == a.frontClosed && sameFrames(a.direct, a.front)
}

func sameFrames(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, nil), bytes.Join(b, nil))
}

// exchange sends the same bytes from c to both sides.
func (c *client) exchange(others []*client, raw []byte, blocks bool) (answer, []answer, error) {
	return c.exchangeApart(others, raw, raw, blocks)
}

// exchangeApart sends bytes from c, to the direct server first, waits until that has
// done all it will do, and then for as much from steadis; for c and for the
// others, who may get pushes. With blocks, c may still be blocked at the end: then
// it is on both sides. Only the direct server decides how many frames there are:
// what comes beyond from steadis shows up in the next exchange.
func (c *client) exchangeApart(others []*client, direct, front []byte, blocks bool) (answer, []answer, error) {
	c.direct.send(direct)
	if err := c.settle(len(direct), blocks); err != nil {
		return answer{}, nil, err
	}
	c.front.send(front)
	if blocks {
		if err := c.p.awaitBlocked(); err != nil {
			return answer{}, nil, err
		}
	}
	own := c.collect()
	if len(own.direct) < framesIn(direct) && !own.directClosed {
		c.p.awaitData() // without a reply to each, only that shows that steadis has done it
	}
	var rest []answer
	for _, o := range others {
		if o == c {
			rest = append(rest, own)
			continue
		}
		o.direct.poll()
		rest = append(rest, o.collect())
	}
	return own, rest, nil
}

// framesIn counts the whole frames in raw, which are commands.
func framesIn(raw []byte) (n int) {
	for {
		k, err := cut(raw)
		if k == 0 || err != nil {
			return n
		}
		raw = raw[k:]
		n++
	}
}

// collect takes what has come from the direct server, and waits for as much from
// steadis.
func (c *client) collect() answer {
	a := answer{direct: c.direct.collect(), directClosed: c.direct.closed}
	switch {
	case c.direct.closed && !c.front.closed:
		c.front.awaitClosed(c.p.patience)
	default:
		c.front.awaitFrames(len(a.direct), c.p.patience)
	}
	a.front, a.frontClosed = c.front.collect(), c.front.closed
	return a
}

// settle waits until the direct server has done all that c asked for and c has the
// replies. Redis has one thread: the list of clients shows whether c is blocked and
// whether something is left to be sent; that twice, since a command that arrives
// together with the question may be taken after it, and once more for each half
// of the 16 KB that Redis reads at a time (Redis 7.0 networking.c PROTO_IOBUF_LEN).
func (c *client) settle(sent int, blocks bool) error {
	limit := time.Now().Add(20 * time.Second)
	for quiet := 0; quiet < 2+sent/8192 && !c.direct.closed; {
		list, err := do(c.p.plain, "CLIENT", "LIST", "ID", c.id)
		if err != nil {
			return err
		}
		c.direct.poll()
		f := fields(fmt.Sprint(list))
		switch {
		case f["id"] == "":
			c.direct.awaitClosed(c.p.patience)
			return nil
		case time.Now().After(limit):
			return fmt.Errorf("the direct server is not done with client %s: %v", c.id, list)
		case f["obl"] != "0" || f["oll"] != "0" || strings.Contains(f["flags"], "b") && !blocks:
			quiet = 0
		default:
			quiet++
		}
	}
	c.direct.poll()
	return nil
}

// awaitBlocked waits until as many clients are blocked in the server behind
// steadis as in the direct one.
func (p *pair) awaitBlocked() error {
	limit := time.Now().Add(patience)
	for {
		want, err := do(p.plain, "INFO", "clients")
		if err != nil {
			return err
		}
		have, err := do(p.hidden, "INFO", "clients")
		if err != nil {
			return err
		}
		a, b := infoField(want, "blocked_clients"), infoField(have, "blocked_clients")
		if a == b || time.Now().After(limit) {
			return nil // that it is not so shows in the replies
		}
	}
}

// awaitData waits a little for the data of both servers to be the same.
func (p *pair) awaitData() {
	limit := time.Now().Add(200 * time.Millisecond)
	for time.Now().Before(limit) {
		a, b, err := p.digests()
		if err != nil || a == b {
			return // that they are not shows at the end
		}
	}
}

func infoField(info any, name string) string {
	_, rest, _ := strings.Cut(fmt.Sprint(info), name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// late gives what has come from steadis without being asked for, at the end of a
// sequence. It waits a while if it is the first client to be looked at.
func (c *client) late(first bool) [][]byte {
	wait := time.Duration(0)
	if first {
		wait = 10 * time.Millisecond
	}
	c.front.await(wait, func() bool { return len(c.front.frames) > 0 })
	return c.front.collect()
}

// awaitGone waits until the direct server has noticed that a client has hung up.
func (p *pair) awaitGone(c *client) error {
	limit := time.Now().Add(patience)
	for time.Now().Before(limit) {
		list, err := do(p.plain, "CLIENT", "LIST", "ID", c.id)
		if err != nil {
			return err
		}
		if fmt.Sprint(list) == "" {
			return nil
		}
	}
	return fmt.Errorf("the direct server does not notice that client %s is gone", c.id)
}
