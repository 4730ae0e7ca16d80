package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"steadis/cmd/internal/handover"
	"steadis/proxy"
)

const (
	// readyLook is the time between two looks whether this process could serve.
	readyLook = 10 * time.Millisecond
	// readyMost is how long a process that takes over may need for that. After it the
	// former one goes on, and this one ends.
	readyMost = 60 * time.Second
	// settleMost is how long the service manager waits for the first view of the
	// deployment: without a master steadis has started, too.
	settleMost = 5 * time.Second
	// childLook is the time between two looks at a successor that was started here.
	childLook = 500 * time.Millisecond
)

// phaseServing is proxy.State's word for a master that takes commands.
const phaseServing = "serving"

// errNoView is about a process that cannot take over.
var errNoView = errors.New("no master could be verified, so this process does not take over; the former one goes on")

// takeover is how a run begins and ends beside other processes: it takes over from the
// former one, tells the service manager, and hands over to the next one.
type takeover struct {
	sockets *sockets
	all     services
	log     *zap.Logger
	path    string // config.Handover
	again   <-chan os.Signal
	open    chan struct{}   // the gate of the sockets: this process accepts
	left    chan struct{}   // closed when another one does
	ending  <-chan struct{} // closed when the clients' servers end
	// leave ends the clients' servers.
	leave func()

	store *store // nil: nobody keeps anything

	mu        sync.Mutex // guards successor; nothing is called under it
	successor *handover.Successor
}

func newTakeover(sockets *sockets, all services, path string, log *zap.Logger, p *process, serving context.Context, leave func()) (t *takeover, err error) {
	t = &takeover{sockets: sockets, all: all, path: path, log: log, again: p.again, leave: leave, ending: serving.Done(),
		open: make(chan struct{}), left: make(chan struct{})}
	if former := sockets.former; former != nil {
		all.startIDs(former.NextID)
		sockets.ours(false) // not before it has let go
	} else {
		close(t.open)
	}
	all.startIDs(sockets.kept.book.NextID)
	if t.store, err = openStore(); err != nil {
		return nil, err
	}
	if t.store != nil {
		for _, s := range all {
			s.keepClients(t.store.keeper(s))
		}
	}
	return t, nil
}

// clients gives the clients' listeners, which accept nobody before this process may.
func (t *takeover) clients() []net.Listener {
	var listeners []net.Listener
	for _, socket := range t.sockets.clients() {
		listeners = append(listeners, t.gated(socket))
	}
	return listeners
}

func (t *takeover) gated(socket handover.Socket) net.Listener {
	if t.sockets.former == nil {
		return socket.Listener
	}
	return behind(t.open, socket.Listener)
}

// untilHandedOver makes a context that ends with ctx, or when another process takes over.
func (t *takeover) untilHandedOver(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		select {
		case <-t.left:
			cancel()
		case <-stop:
		}
	})
	return ctx, func() {
		close(stop)
		cancel()
		ended.Wait()
	}
}

// run is the part of a run that lasts as long as it does.
func (t *takeover) run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	if t.store != nil {
		if err := t.store.forget(); err != nil {
			t.log.Warn("the service manager cannot be told to forget what it has kept", zap.Error(err))
		}
	}
	t.sockets.kept.adopt(t.all, t.log)
	if t.sockets.former != nil {
		if err := t.takeOver(ctx); err != nil {
			return err
		}
		all.Go(func() { t.receive(ctx) })
	} else {
		t.awaitReady(ctx, settleMost)
	}
	desk, err := t.desk()
	if err != nil {
		return err
	}
	if ctx.Err() == nil {
		tellManager(t.log, managerReady)
	}
	all.Go(func() { t.tellState(ctx) })
	all.Go(func() { t.startNext(ctx) })
	if desk == nil {
		<-ctx.Done()
		return nil
	}
	return desk.Run(ctx, t.offer, t.handOver)
}

func (t *takeover) desk() (*handover.Desk, error) {
	if t.path == "" {
		return nil, nil
	}
	return handover.Open(t.path, t.log)
}

// awaitReady waits until clients could be served, for at most so long. During a failover it
// is enough in the end that their commands could be held.
func (t *takeover) awaitReady(ctx context.Context, most time.Duration) (ready bool, why string) {
	limit, ticker := time.NewTimer(most), time.NewTicker(readyLook)
	defer limit.Stop()
	defer ticker.Stop()
	for {
		if ready, why = t.all.ready(); ready && t.all.serving() {
			return ready, why
		}
		select {
		case <-ticker.C:
		case <-limit.C:
			return ready, why
		case <-ctx.Done():
			return false, why
		}
	}
}

// takeOver makes the former process stop accepting, and begins to.
func (t *takeover) takeOver(ctx context.Context) error {
	ready, why := t.awaitReady(ctx, settleMost)
	if !ready {
		ready, why = t.awaitReady(ctx, readyMost)
	}
	if !ready {
		return fmt.Errorf("%w: %s", errNoView, why)
	}
	if err := t.sockets.former.Ready(ctx); err != nil {
		return err
	}
	t.sockets.former.CloseRest()
	t.sockets.ours(true)
	close(t.open)
	t.log.Info("taken over: clients are accepted here now")
	return nil
}

// receive goes on with the former process's clients.
func (t *takeover) receive(ctx context.Context) {
	defer t.sockets.former.Close()
	lost, several := 0, t.sockets.former.Several
	n, err := t.sockets.former.Receive(ctx, func(nc net.Conn, c proxy.Client, master string) {
		if !t.all.adopt(nc, c, master, several) {
			lost++
		}
	}, func(body, master string) {
		if s := t.all.heir(master, several); s != nil {
			s.server.Remember(body)
		}
	})
	fields := []zap.Field{zap.Int("clients", n), zap.Int("refused", lost)}
	if err != nil && ctx.Err() == nil {
		t.log.Warn("clients of the former process are taken over, as far as it gave them", append(fields, zap.Error(err))...)
		return
	}
	t.log.Info("clients of the former process are taken over", fields...)
}

// offer is what a new process gets that asks.
func (t *takeover) offer() handover.Offer {
	t.log.Info("another process asks to take over")
	return handover.Offer{NextID: t.all.nextID(), Sockets: t.sockets.all(), Several: t.all.several()}
}

// handOver leaves everything to the process that takes over.
func (t *takeover) handOver(next *handover.Successor) {
	t.log.Info("handing over", zap.Int("to_pid", next.PID))
	t.sockets.ours(false)
	tellManager(t.log, managerMainPID(next.PID))
	t.mu.Lock()
	t.successor = next
	t.mu.Unlock()
	for _, s := range t.all {
		s.handOver(func(fd int, c proxy.Client) error { return next.Client(fd, c, s.name) })
	}
	close(t.left)
	t.leave()
	for _, s := range t.all {
		for _, script := range s.server.Scripts() {
			if err := next.Script(script, s.name); err != nil {
				t.log.Warn("a script was not handed over; EVALSHA may answer NOSCRIPT after a failover", zap.Error(err))
				return
			}
		}
	}
}

// ended is to be called when the clients' servers have ended.
func (t *takeover) ended() {
	t.mu.Lock()
	next := t.successor
	t.mu.Unlock()
	if t.store != nil {
		defer t.store.close()
	}
	if next == nil {
		t.keep()
		return
	}
	t.log.Info("handed over", zap.Int64("clients", next.End()), zap.Int("to_pid", next.PID))
}

// keep leaves what there is to know of clients that are kept to the next process.
func (t *takeover) keep() {
	if t.store == nil {
		return
	}
	n, err := t.store.end(t.all)
	if err != nil {
		t.log.Error("clients cannot be kept for the next process, and are closed", zap.Error(err))
		return
	}
	t.log.Info("clients are kept for the next process", zap.Int("clients", n))
}

// tellState tells the service manager what `systemctl status` is to show.
func (t *takeover) tellState(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	told, ending := "", t.ending
	for ctx.Err() == nil {
		if _, why := t.all.ready(); why != told {
			told = why
			tellManager(t.log, managerStatus(why))
		}
		select {
		case <-ticker.C:
		case <-ending:
			ending = nil
			if !t.handedOver() {
				tellManager(t.log, managerStopping)
			}
		case <-ctx.Done():
		}
	}
}

// handedOver says whether another process serves in this one's place.
func (t *takeover) handedOver() bool {
	select {
	case <-t.left:
		return true
	default:
		return false
	}
}

// startNext starts the process that takes over, at each signal.
func (t *takeover) startNext(ctx context.Context) {
	ticker := time.NewTicker(childLook)
	defer ticker.Stop()
	var child *os.Process
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			child = t.lookAfter(child)
		case <-t.again:
			child = t.lookAfter(child)
			switch {
			case t.path == "":
				t.log.Error("a signal asks for a new process, but handover is not set, so it could not take over; set it")
			case child != nil:
				t.log.Warn("a signal asks for a new process, but one has been started already", zap.Int("pid", child.Pid))
			default:
				child = t.start()
			}
		}
	}
}

// start starts this program anew, with the same arguments and environment. The path is the
// one under which it was started: there may be a newer program there.
func (t *takeover) start() *os.Process {
	program, err := os.Executable()
	if err != nil {
		t.log.Error("the program to start is not known", zap.Error(err))
		return nil
	}
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { // these are for this process
		return strings.HasPrefix(v, "LISTEN_") || strings.HasPrefix(v, "WATCHDOG_PID=")
	})
	if err := cmd.Start(); err != nil {
		t.log.Error("a new process cannot be started; this one goes on", zap.String("program", program), zap.Error(err))
		return nil
	}
	t.log.Info("a new process is started, to take over", zap.Int("pid", cmd.Process.Pid))
	return cmd.Process
}

// lookAfter takes note of the end of a child, which is one that has not taken over.
func (t *takeover) lookAfter(child *os.Process) *os.Process {
	if child == nil {
		return nil
	}
	var status unix.WaitStatus
	if pid, err := unix.Wait4(child.Pid, &status, unix.WNOHANG, nil); err == nil && pid == 0 {
		return child
	}
	t.log.Error("the new process has ended; this one goes on", zap.Int("pid", child.Pid), zap.Int("code", status.ExitStatus()))
	return nil
}
