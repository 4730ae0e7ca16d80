package upstream

import (
	"context"
	"sync"

	"steadis/proxy/resp"
)

// Pilot is the one connection by which a node is watched: it has proved to be a
// master that answers, its end is noticed at once, and Ping asks whether the
// node still answers. It carries no client's command.
type Pilot struct {
	conn *Conn
	wg   sync.WaitGroup
	gone chan struct{} // closed when the connection has ended
	err  error         // why; read after gone is closed
}

// NewPilot connects to the master at addr as id. ctx bounds that. The errors are
// Dial's. The caller closes the Pilot.
func (p *Pool) NewPilot(ctx context.Context, addr string, generation uint64, id Identity) (*Pilot, error) {
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	nc, err := Dial(ctx, p.o.Dial, addr, id)
	if err != nil {
		return nil, err
	}
	pilot := &Pilot{gone: make(chan struct{})}
	pilot.conn = newConn(nc, generation, nil, pilot.ended)
	pilot.conn.start(&pilot.wg, 512)
	return pilot, nil
}

func (p *Pilot) ended(_ *Conn, err error) {
	p.err = err
	close(p.gone)
}

// Gone is closed when the connection has ended; Err then says why.
func (p *Pilot) Gone() <-chan struct{} { return p.gone }

// Err says why the connection has ended. It is valid once Gone is closed.
func (p *Pilot) Err() error { return p.err }

// Ask sends a command and returns whether it was answered before ctx ended; any
// answer will do.
func (p *Pilot) Ask(ctx context.Context, args ...string) error {
	q := &question{wire: resp.AppendCommand(nil, args...), answered: make(chan Fate, 1)}
	if err := p.conn.Send([]Call{q}); err != nil {
		return err
	}
	select {
	case fate := <-q.answered:
		if fate != answered {
			<-p.gone
			return p.err
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the connection and waits for its goroutines.
func (p *Pilot) Close() {
	p.conn.Close()
	p.wg.Wait()
}

// answered is the fate of a question that got its reply.
const answered = InDoubt + 1

// question is the Pilot's call.
type question struct {
	wire     []byte
	answered chan Fate // capacity 1
}

func (q *question) AppendWire(dst []byte) []byte { return append(dst, q.wire...) }
func (q *question) Frames() int                  { return 1 }
func (q *question) ErrorEnds() bool              { return false }
func (q *question) Trusted() bool                { return true }
func (q *question) Reply([]byte, bool) Owner     { q.answered <- answered; return nil }
func (q *question) Lost(f Fate) Owner            { q.answered <- f; return nil }

// Generation returns the generation that the Pilot was made under.
func (p *Pilot) Generation() uint64 { return p.conn.generation }
