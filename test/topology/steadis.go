package topology

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// SteadisOptions says which steadis to run and how.
type SteadisOptions struct {
	// Binary is the program to run as a child process.
	Binary string
	// Run is steadis in this process, instead of Binary: it gets the arguments
	// after the program's name and must return once ctx ends.
	Run func(ctx context.Context, args []string) error
	// Args follow "serve --admin ... --listen ...".
	Args []string
	// Env are additional environment variables ("STEADIS_HOLD=2s"). Those of this
	// process reach steadis too, except its own STEADIS_* ones.
	Env []string
	// Dir is where the log goes; it must exist.
	Dir string
	// Host is where to run Binary; nil for loopback.
	Host *Host
	// NotReady says not to wait for /readyz to answer 200, only for /livez: for
	// a steadis that has no master yet.
	NotReady bool
	// NoListen leaves it to Args where clients connect, as for several masters.
	NoListen bool
}

// Steadis is a running steadis. Its methods may be called concurrently, except
// Stop, Kill and Restart, which are for one goroutine at a time.
type Steadis struct {
	// Addr is where clients connect, AdminAddr where the admin HTTP server is.
	Addr, AdminAddr string

	log     string
	http    *http.Client
	options SteadisOptions
	args    []string

	mu   sync.Mutex // guards proc
	proc *process   // nil for one in this process

	stopOnce sync.Once
	cancel   context.CancelFunc // in-process only
	ended    chan struct{}      // in-process only: closed once Run has returned
	runErr   error              // in-process only: valid once ended is closed
	stopErr  error
}

// BuildSteadis builds the program at path, without the race detector. The error has the
// compiler's words.
func BuildSteadis(path string) error {
	if out, err := exec.Command("go", "build", "-o", path, "steadis/cmd/steadis").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// RunSteadis starts steadis on free loopback ports and returns once it is ready
// (see SteadisOptions.NotReady). If ctx ends before that, steadis is ended and
// the error shows the end of its log; later ends of ctx have no influence.
func RunSteadis(ctx context.Context, o SteadisOptions) (*Steadis, error) {
	listen, err := FreePort()
	if err != nil {
		return nil, err
	}
	admin, err := FreePort()
	if err != nil {
		return nil, err
	}
	s := &Steadis{
		Addr:      net.JoinHostPort(o.Host.ip(), strconv.Itoa(listen)),
		AdminAddr: net.JoinHostPort(o.Host.ip(), strconv.Itoa(admin)),
		log:       filepath.Join(o.Dir, fmt.Sprintf("steadis-%d.log", listen)),
		http:      &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second},
		options:   o,
	}
	s.args = []string{"serve", "--admin", s.AdminAddr}
	if !o.NoListen {
		s.args = append(s.args, "--listen", s.Addr)
	}
	s.args = append(s.args, o.Args...)
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(), fmt.Errorf("log of steadis:\n%s", s.LogTail()))
	}
	return s, nil
}

// start runs steadis and waits until it is ready.
func (s *Steadis) start(ctx context.Context) error {
	if o := s.options; o.Run != nil {
		s.runHere(o.Run, s.args)
	} else {
		p, err := startProcess(o.Host, o.Binary, s.args, append(cleanEnviron(), o.Env...), o.Dir, s.log)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.proc = p
		s.mu.Unlock()
	}
	path := "/readyz"
	if s.options.NotReady {
		path = "/livez"
	}
	return s.AwaitStatus(ctx, path, http.StatusOK)
}

// Kill ends a child process with SIGKILL and returns once it is gone.
func (s *Steadis) Kill() error { return s.process().kill() }

// Restart starts steadis again after Kill, at the same addresses and with the
// same log, and returns once it is ready.
func (s *Steadis) Restart(ctx context.Context) error {
	if s.Alive() {
		return errors.New("steadis still runs")
	}
	return s.start(ctx)
}

// TakeOver starts steadis once more while it runs, with --handover among its arguments,
// and returns once the former process has ended, which it must with code 0, in favour of
// the new one. If it does not, the new one is ended and the former one stays.
func (s *Steadis) TakeOver(ctx context.Context) error {
	former, o := s.process(), s.options
	next, err := startProcess(o.Host, o.Binary, s.args, append(cleanEnviron(), o.Env...), o.Dir, s.log)
	if err != nil {
		return err
	}
	select {
	case <-former.done:
	case <-next.done:
		return fmt.Errorf("the new steadis has ended with code %d:\n%s", next.cmd.ProcessState.ExitCode(), s.LogTail())
	case <-ctx.Done():
		return errors.Join(ctx.Err(), next.kill())
	}
	s.mu.Lock()
	s.proc = next
	s.mu.Unlock()
	if code := former.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the former steadis has ended with code %d:\n%s", code, s.LogTail())
	}
	return nil
}

// Beside starts steadis once more while it runs, with args behind the others. Kill ends it.
func (s *Steadis) Beside(args ...string) (*Program, error) {
	o := s.options
	p, err := startProcess(o.Host, o.Binary, append(slices.Clone(s.args), args...), append(cleanEnviron(), o.Env...), o.Dir, s.log)
	return &Program{proc: p, log: s.log}, err
}

// Signal sends a signal to a child process.
func (s *Steadis) Signal(sig syscall.Signal) error { return s.process().signal(sig) }

func (s *Steadis) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// cleanEnviron is our environment without what would configure steadis, or what
// steadis would refuse as unknown.
func cleanEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "STEADIS_") })
}

func (s *Steadis) runHere(run func(context.Context, []string) error, args []string) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.ended = cancel, make(chan struct{})
	go func() {
		defer close(s.ended)
		s.runErr = run(ctx, args)
	}()
}

// PID is the process id.
func (s *Steadis) PID() int {
	p := s.process()
	if p == nil {
		return os.Getpid()
	}
	return p.pid()
}

// Alive says whether steadis runs.
func (s *Steadis) Alive() bool {
	if p := s.process(); p != nil {
		return p.alive()
	}
	if s.ended == nil {
		return false // never started
	}
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// Stop asks steadis to end (SIGTERM), waits for at most 20 s, and kills it then,
// which is an error. It is an error too if steadis ends with a code other than 0
// or 143 (ended by the signal). Further calls repeat the first one's answer.
func (s *Steadis) Stop() error {
	s.stopOnce.Do(func() {
		p := s.process()
		if p == nil && s.cancel == nil {
			return // never started
		}
		if p == nil {
			s.cancel()
			<-s.ended
			s.stopErr = s.runErr
			return
		}
		code, byItself, err := p.stop(20 * time.Second)
		switch {
		case err != nil:
			s.stopErr = err
		case !byItself:
			s.stopErr = errors.New("steadis did not end within 20 s of SIGTERM and was killed")
		case code != 0 && code != 143:
			s.stopErr = fmt.Errorf("steadis ended with code %d:\n%s", code, s.LogTail())
		}
	})
	return s.stopErr
}

// LogTail gives the end of what steadis logged, empty for one in this process.
func (s *Steadis) LogTail() string {
	if s.options.Run != nil {
		return ""
	}
	return tail(s.log)
}

// Log gives the path of the log file.
func (s *Steadis) Log() string { return s.log }

// Status asks one path of the admin server for its status and body.
func (s *Steadis) Status(ctx context.Context, path string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.AdminAddr+path, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := s.http.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	return response.StatusCode, string(body), err
}

// AwaitStatus waits until the admin server answers path with status.
func (s *Steadis) AwaitStatus(ctx context.Context, path string, status int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return await(ctx, fmt.Sprintf("steadis to answer %s with %d", path, status), func(ctx context.Context) error {
		if !s.Alive() {
			err := errors.New("steadis has ended")
			cancel(err)
			return err
		}
		got, body, err := s.Status(ctx, path)
		if err == nil && got != status {
			err = fmt.Errorf("%d %s", got, strings.TrimSpace(body))
		}
		return err
	})
}

// Metrics reads /metrics: every sample under its name with its labels, as they
// are printed ("steadis_hold_refused_total{reason=\"full\"}").
func (s *Steadis) Metrics(ctx context.Context) (map[string]float64, error) {
	status, body, err := s.Status(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("/metrics: status %d", status)
	}
	return parseMetrics(body)
}

// parseMetrics reads the Prometheus text format, without time stamps.
func parseMetrics(body string) (map[string]float64, error) {
	samples := map[string]float64{}
	lines := bufio.NewScanner(strings.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		cut := strings.LastIndexByte(line, ' ')
		if cut < 0 {
			return nil, fmt.Errorf("/metrics: line %q", line)
		}
		value, err := strconv.ParseFloat(line[cut+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("/metrics: line %q: %w", line, err)
		}
		samples[line[:cut]] = value
	}
	return samples, lines.Err()
}

// Sum adds up every sample of one metric, whatever its labels.
func Sum(samples map[string]float64, name string) float64 {
	total := 0.0
	for sample, value := range samples {
		if sample == name || strings.HasPrefix(sample, name+"{") {
			total += value
		}
	}
	return total
}
