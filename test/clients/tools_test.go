package clients

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
)

// prompt is a program to which commands are typed: redis-cli, iredis.
type prompt struct {
	name  string
	in    *bufio.Writer
	lines chan string
	close func() error
}

func openPrompt(t *testing.T, argv ...string) *prompt {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = cmd.Stdout
	must(t, cmd.Start())
	p := &prompt{name: argv[0], in: bufio.NewWriter(in), lines: make(chan string, 1024)}
	go p.read(bufio.NewScanner(out))
	p.close = func() error {
		_ = in.Close()
		for range p.lines { // until it has ended
		}
		return cmd.Wait()
	}
	return p
}

// read owns the program's output.
func (p *prompt) read(out *bufio.Scanner) {
	defer close(p.lines)
	for out.Scan() {
		p.lines <- out.Text()
	}
}

// push appends the number to a list and gives what the program said, and how long that took.
func (p *prompt) push(list string, n int) (string, time.Duration, error) {
	began := time.Now()
	fmt.Fprintf(p.in, "RPUSH %s %d\n", list, n)
	if err := p.in.Flush(); err != nil {
		return "", 0, err
	}
	select {
	case line, open := <-p.lines:
		if !open {
			return "", 0, fmt.Errorf("%s has ended", p.name)
		}
		return line, time.Since(began), nil
	case <-time.After(60 * time.Second):
		return "", 0, fmt.Errorf("%s said nothing for 60 s", p.name)
	}
}

// typeUntil types RPUSH until done is closed.
func (p *prompt) typeUntil(done <-chan struct{}, list string, result chan<- report) {
	r := report{Act: p.name, List: list, Told: map[string]int{}}
	for {
		r.Sent++
		said, took, err := p.push(list, r.Sent)
		r.Slowest = max(r.Slowest, took.Seconds())
		if err != nil {
			r.Wrong = append(r.Wrong, err.Error())
			break
		}
		if _, err := strconv.Atoi(strings.TrimPrefix(said, "(integer) ")); err != nil {
			r.Told[said]++
			r.Doubt = append(r.Doubt, r.Sent)
		}
		select {
		case <-done:
			result <- r
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	result <- r
}

// redis-cli keeps its connection through planned failovers, and sees the closed one of a write in doubt.
func TestRedisCLI(t *testing.T) {
	onlyFigures(t)
	need(t, "redis-cli")
	st := newStage(t, topology.Options{}, "--durable-replicas", "1")
	p := openPrompt(t, "redis-cli", "-p", st.port())
	done, result := make(chan struct{}), make(chan report, 1)
	go p.typeUntil(done, "redis-cli", result)
	st.failOvers(t, rounds(t), all...)
	close(done)
	r := <-result
	must(t, p.close())
	r.audit(st.list(t, r.List))
	s := sumUp([]report{r})
	late := st.late(t)
	recorded.row(t, "redis-cli", eachKind(t)+", durable"+late, "%v", s)
	recorded.user("redis-cli", debianVersion(t, "redis-tools"), eachKind(t), "%v", s)
	if len(r.Wrong) > 0 || r.Lost > 0 || late == "" && s.errors > st.inDoubt(t) {
		t.Errorf("%v; %d in doubt; %v", s, st.inDoubt(t), r.Wrong)
	}
}

// iredis takes commands from its standard input only when they are all there: it is given one, while
// there is no master.
func TestIRedis(t *testing.T) {
	onlyFigures(t)
	need(t, "iredis")
	st := newStage(t, topology.Options{})
	old, err := st.d.Master(within(t, 10*time.Second))
	must(t, err)
	must(t, old.Kill())
	iredis := exec.CommandContext(within(t, time.Minute), "iredis", "-p", st.port())
	iredis.Stdin = strings.NewReader("SET iredis held\nGET iredis\n")
	began := time.Now()
	out, err := iredis.CombinedOutput()
	recorded.row(t, "iredis", "started while there is no master", "%q after %.1f s", strings.Fields(string(out)), time.Since(began).Seconds())
	recorded.user("IRedis", debianVersion(t, "iredis"), "started while there is no master", "its commands run once there is one")
	if err != nil || !strings.Contains(string(out), "OK") || !strings.Contains(string(out), "held") {
		t.Errorf("iredis: %v\n%s", err, out)
	}
}

// redis-benchmark ends at the first error and at the first closed connection.
func TestRedisBenchmark(t *testing.T) {
	onlyFigures(t)
	need(t, "redis-benchmark")
	st := newStage(t, topology.Options{}, "--in-doubt", "retry")
	done, result := make(chan struct{}), make(chan error, 1)
	runs := 0
	go func() {
		for {
			out, err := exec.CommandContext(t.Context(), "redis-benchmark", "-p", st.port(), "-c", "8", "-n", "20000", "-t", "set,incr,lpush", "-q").CombinedOutput()
			if err == nil && strings.Contains(string(out), "Error") {
				err = fmt.Errorf("%s", out)
			}
			runs++
			select {
			case <-done:
				result <- err
				return
			default:
			}
			if err != nil {
				result <- fmt.Errorf("run %d: %w: %s", runs, err, out)
				return
			}
		}
	}()
	st.failOvers(t, rounds(t), all...)
	close(done)
	err := <-result
	recorded.row(t, "redis-benchmark", eachKind(t)+", in_doubt: retry", "%d runs of 60,000 commands, error: %v", runs, err)
	must(t, err)
	recorded.user("redis-benchmark", debianVersion(t, "redis-tools"), eachKind(t)+" (`in_doubt: retry`)", "nothing")
}

// redis_exporter, pointed at steadis, says that Redis is up through every failover.
func TestRedisExporter(t *testing.T) {
	onlyFigures(t)
	need(t, "prometheus-redis-exporter")
	st := newStage(t, topology.Options{})
	port, err := topology.FreePort()
	must(t, err)
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	start(t, "redis_exporter", t.TempDir(), nil, "prometheus-redis-exporter", "-redis.addr", "redis://localhost:"+st.port(), "-web.listen-address", addr)
	done, result := make(chan struct{}), make(chan []scrape, 1)
	go scrapeUntil(t.Context(), done, "http://"+addr+"/metrics", result)
	st.failOvers(t, rounds(t), all...)
	close(done)
	list := <-result
	down, slowest := 0, time.Duration(0)
	for _, s := range list {
		slowest = max(slowest, s.took)
		if s.up != "1" {
			down++
			t.Logf("redis_up %q: %v", s.up, s.err)
		}
	}
	late := st.late(t)
	recorded.row(t, "redis_exporter, scraped each 0.2 s", eachKind(t)+late, "redis_up 1 in %d of %d scrapes, the slowest took %s", len(list)-down, len(list), seconds(slowest))
	recorded.user("redis_exporter", debianVersion(t, "prometheus-redis-exporter"), eachKind(t), "redis_up 1 in %d of %d scrapes", len(list)-down, len(list))
	if down > 0 && late == "" || len(list) == 0 {
		t.Errorf("redis_up was not 1 in %d of %d scrapes", down, len(list))
	}
}
