package upstream

import (
	"context"
	"errors"
	"sync"
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
	ctx, cancel := context.WithTimeout(ctx, p.times.Load().Timeout)
	defer cancel()
	g, err := greetAt(ctx, p.o.Dial, addr, p.handshake(id, false))
	if err != nil {
		return nil, err
	}
	pilot := &Pilot{gone: make(chan struct{})}
	pilot.conn = newConn(g, Origin{Generation: generation}, noPush, pilot.ended)
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

// Ask sends commands, as bytes, and returns nil once all of them were answered;
// any answer will do. It returns ctx's error if that ends first, and else why the
// connection ended.
func (p *Pilot) Ask(ctx context.Context, commands ...[]byte) error {
	_, err := p.ask(ctx, false, commands...)
	return err
}

// Fetch sends commands, in one write, and returns the reply to the last one. The errors are Ask's.
func (p *Pilot) Fetch(ctx context.Context, commands ...[]byte) ([]byte, error) {
	return p.ask(ctx, true, commands...)
}

func (p *Pilot) ask(ctx context.Context, keep bool, commands ...[]byte) ([]byte, error) {
	frame, err := p.conn.ask(ctx, keep, commands...)
	if errors.Is(err, errUnanswered) {
		<-p.gone
		return nil, p.err
	}
	return frame, err
}

// Close ends the connection and waits for its goroutines.
func (p *Pilot) Close() {
	p.conn.Close()
	p.wg.Wait()
}

// Generation returns the generation that the Pilot was made under.
func (p *Pilot) Generation() uint64 { return p.conn.Generation() }

// LocalAddr returns the connection's own address, by which MONITOR shows it.
func (p *Pilot) LocalAddr() string { return p.conn.nc.LocalAddr().String() }
