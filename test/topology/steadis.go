package topology

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// SteadisOptions says which steadis to run and how.
type SteadisOptions struct {
	// Binary is the program to run as a child process.
	Binary string
	// Run is steadis in this process, instead of Binary: it gets the arguments
	// after the program's name and must return once ctx ends.
	Run func(ctx context.Context, args []string) error
	// Args follow "serve --listen ... --admin ...".
	Args []string
	// Env are additional environment variables ("STEADIS_HOLD=2s"). Those of this
	// process reach steadis too, except its own STEADIS_* ones.
	Env []string
	// Dir is where the log goes; it must exist.
	Dir string
	// NotReady says not to wait for /readyz to answer 200, only for /livez: for
	// a steadis that has no master yet.
	NotReady bool
}

// Steadis is a running steadis. Its methods may be called concurrently, except
// Stop.
type Steadis struct {
	// Addr is where clients connect, AdminAddr where the admin HTTP server is.
	Addr, AdminAddr string

	log  string
	http *http.Client
	proc *process // nil for one in this process

	stopOnce sync.Once
	cancel   context.CancelFunc // in-process only
	ended    chan struct{}      // in-process only: closed once Run has returned
	runErr   error              // in-process only: valid once ended is closed
	stopErr  error
}

// RunSteadis starts steadis on free loopback ports and returns once it is ready
// (see SteadisOptions.NotReady). If ctx ends before that, steadis is ended and
// the error shows the end of its log; later ends of ctx have no influence.
func RunSteadis(ctx context.Context, o SteadisOptions) (*Steadis, error) {
	listen, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	admin, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	s := &Steadis{
		Addr: listen, AdminAddr: admin,
		log:  filepath.Join(o.Dir, "steadis-"+listen[strings.LastIndexByte(listen, ':')+1:]+".log"),
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second},
	}
	args := append([]string{"serve", "--listen", listen, "--admin", admin}, o.Args...)
	if o.Run != nil {
		s.runHere(o.Run, args)
	} else if s.proc, err = startProcess(o.Binary, args, append(cleanEnviron(), o.Env...), o.Dir, s.log); err != nil {
		return nil, err
	}
	path := "/readyz"
	if o.NotReady {
		path = "/livez"
	}
	if err := s.AwaitStatus(ctx, path, http.StatusOK); err != nil {
		return nil, errors.Join(err, s.Stop(), fmt.Errorf("log of steadis:\n%s", s.LogTail()))
	}
	return s, nil
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
	if s.proc == nil {
		return os.Getpid()
	}
	return s.proc.pid()
}

// Alive says whether steadis runs.
func (s *Steadis) Alive() bool {
	if s.proc != nil {
		return s.proc.alive()
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
		if s.proc == nil {
			s.cancel()
			<-s.ended
			s.stopErr = s.runErr
			return
		}
		code, byItself, err := s.proc.stop(20 * time.Second)
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
	if s.proc == nil {
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
