package sentinel

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"steadis/sentinel/topology"
	"steadis/test/fake"
)

// bench is a Watcher on fakes, inside a bubble: nodes A B C (10.0.0.1 to 3) and
// Sentinels S0 S1 S2 that announce A with epoch 0.
type bench struct {
	t         *testing.T
	network   *fake.Network
	nodes     []*fake.Redis
	sentinels []*fake.Sentinel
	board     *topology.Board
	watcher   *Watcher
	logs      *observer.ObservedLogs
	stop      func()
}

func sentinelAddr(i int) string { return fmt.Sprintf("10.0.1.%d:26379", i+1) }
func nodeAddr(i int) string     { return fmt.Sprintf("10.0.0.%d:6379", i+1) }

// newBench starts the fakes; change may adjust them and the options before the
// Watcher runs.
func newBench(t *testing.T, change func(b *bench, o *Options)) *bench {
	t.Helper()
	b := &bench{t: t, network: fake.NewNetwork(), board: topology.NewBoard()}
	o := Options{Master: "mymaster", Dial: b.network.Dial}
	for i := range 3 {
		b.nodes = append(b.nodes, fake.StartRedis(b.network.MustListen(nodeAddr(i))))
	}
	for i := range 3 {
		b.sentinels = append(b.sentinels, fake.StartSentinel(b.network.MustListen(sentinelAddr(i)), "mymaster", nodeAddr(0)))
		o.Addresses = append(o.Addresses, sentinelAddr(i))
	}
	b.nodes[0].Replicas(b.nodes[1], b.nodes[2])
	core, logs := observer.New(zap.InfoLevel)
	o.Log, b.logs = zap.New(core), logs
	if change != nil {
		change(b, &o)
	}
	var err error
	if b.watcher, err = New(o, b.board); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.watcher.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error("Run:", err)
		}
		for _, n := range b.nodes {
			n.Close()
		}
		for _, s := range b.sentinels {
			s.Close()
		}
	}
	return b
}

// pass lets fake time pass and everything settle.
func (b *bench) pass(d time.Duration) {
	time.Sleep(d) // fake time: the bubble moves on once all are idle
	synctest.Wait()
}

// expect checks the view.
func (b *bench) expect(phase topology.Phase, master string, epoch, generation uint64) {
	b.t.Helper()
	v := b.board.Load()
	if v.Phase != phase || v.Master != master || v.Epoch != epoch || v.Generation != generation {
		b.t.Errorf("view is %s %s epoch %d generation %d (%s), want %s %s %d %d",
			v.Phase, v.Master, v.Epoch, v.Generation, v.Reason, phase, master, epoch, generation)
	}
}

// begin makes S0 lead a forced failover of A.
func (b *bench) begin() {
	b.sentinels[0].Update(func(m *fake.Master) { m.Flags = "master,failover_in_progress,force_failover" })
	b.sentinels[0].Publish("+try-failover", "master mymaster 10.0.0.1 6379")
}

// promote makes node i a master.
func (b *bench) promote(i int) { b.nodes[i].BecomeMaster() }

// announce makes Sentinel i announce node n.
func (b *bench) announce(i, n int, epoch uint64) {
	b.sentinels[i].Update(func(m *fake.Master) { *m = fake.Master{Addr: nodeAddr(n), Epoch: epoch, Flags: "master"} })
	b.sentinels[i].Publish("+switch-master", fmt.Sprintf("mymaster 10.0.0.1 6379 10.0.0.%d 6379", n+1))
}

// lines counts the log lines with that text.
func (b *bench) lines(text string) int { return b.logs.FilterMessage(text).Len() }
