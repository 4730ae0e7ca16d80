package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"steadis/test/topology"
)

// flask is the app of docker-compose.yml, unchanged.
type flask struct {
	*program
	url  string
	http *http.Client
}

// appDir is where that app lies.
func appDir(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../config/deploy/compose/app")
	must(t, err)
	return path
}

func startFlask(t *testing.T, s *topology.Steadis) *flask {
	t.Helper()
	port, err := topology.FreePort()
	must(t, err)
	app := &flask{
		program: start(t, "Flask", appDir(t), envOf(s),
			python, "-m", "flask", "--app", "app", "run", "--no-reload", "--port", strconv.Itoa(port)),
		url:  "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	ctx := within(t, 30*time.Second)
	for status := 0; status != http.StatusOK; {
		if status, _, err = app.ask(ctx, http.MethodGet, "/health/redis"); err != nil {
			select {
			case <-ctx.Done():
				t.Fatalf("the app does not answer: %v\n%s", err, app.tail())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return app
}

// ask asks the app for a path, and gives the status and the body.
func (app *flask) ask(ctx context.Context, method, path string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, app.url+path, nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := app.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// probe is one request of a prober.
type probe struct {
	at     time.Time
	status int // 0: no answer
	took   time.Duration
}

// prober asks the app for one path each 100 ms, whatever has become of the requests before.
type prober struct {
	end   context.CancelFunc
	ended chan []probe
}

func (app *flask) probe(ctx context.Context, path string) *prober {
	ctx, end := context.WithCancel(ctx)
	p := &prober{end: end, ended: make(chan []probe, 1)}
	go p.run(ctx, app, path)
	return p
}

func (p *prober) run(ctx context.Context, app *flask, path string) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	answers := make(chan probe)
	var list []probe
	under := 0
	for ctx.Err() == nil || under > 0 {
		select {
		case answer := <-answers:
			under--
			list = append(list, answer)
		case <-ticker.C:
			if ctx.Err() == nil {
				under++
				go ask(context.WithoutCancel(ctx), app, path, answers)
			}
		}
	}
	p.ended <- list
}

// ask is one probe; run waits for its answer.
func ask(ctx context.Context, app *flask, path string, answers chan<- probe) {
	ctx, end := context.WithTimeout(ctx, 60*time.Second)
	defer end()
	began := time.Now()
	status, _, _ := app.ask(ctx, http.MethodGet, path) // without an answer it is 0
	answers <- probe{began, status, time.Since(began)}
}

// stop waits for the answers that are due and gives all, in the order of the requests.
func (p *prober) stop() []probe {
	p.end()
	list := <-p.ended
	slices.SortFunc(list, func(a, b probe) int { return a.at.Compare(b.at) })
	return list
}

// digest is what there is to say of many probes.
type digest struct {
	n, wrong, slow       int
	median, p99, slowest time.Duration
}

func digestOf(list []probe, want int) digest {
	took := make([]time.Duration, len(list))
	d := digest{n: len(list)}
	for i, p := range list {
		took[i] = p.took
		if p.status != want {
			d.wrong++
		}
		if p.took >= 100*time.Millisecond {
			d.slow++
		}
	}
	if d.n > 0 {
		slices.Sort(took)
		d.median, d.p99, d.slowest = took[d.n/2], took[d.n*99/100], took[d.n-1]
	}
	return d
}

func (d digest) String() string {
	return fmt.Sprintf("median %d ms, p99 %d ms, slowest %d ms, %d of %d over 100 ms",
		d.median.Milliseconds(), d.p99.Milliseconds(), d.slowest.Milliseconds(), d.slow, d.n)
}

// health is the probing of /health/redis, and of a path that has nothing to do with Redis, at the same
// time: what that takes is the machine's.
type health struct{ redis, control *prober }

func (app *flask) watch(ctx context.Context) health {
	return health{app.probe(ctx, "/health/redis"), app.probe(ctx, "/nothing-there")}
}

func (h health) judge(t *testing.T, st *stage, ordeal string) (redis, control digest) {
	t.Helper()
	late := st.late(t)
	redis, control = digestOf(h.redis.stop(), http.StatusOK), digestOf(h.control.stop(), http.StatusNotFound)
	recorded.row(t, "Flask, /health/redis each 100 ms", ordeal+late, "%d of %d answers 200; %v; a path without Redis at the same time: %v",
		redis.n-redis.wrong, redis.n, redis, control)
	if redis.wrong > 0 && late == "" || redis.n == 0 {
		t.Errorf("%d of %d probes of /health/redis were not answered with 200", redis.wrong, redis.n)
	}
	switch {
	case control.slow == 0 && redis.slow > 0:
		t.Errorf("%d probes took more than 100 ms, the slowest %v", redis.slow, redis.slowest)
	// A machine that is busy makes both slow; then PING must not be slower than that.
	case redis.median > control.median+50*time.Millisecond || redis.p99 > 2*control.p99+100*time.Millisecond:
		t.Errorf("probes: %v; without Redis: %v", redis, control)
	}
	return redis, control
}

// enqueue has the app enqueue a job and gives its id.
func (app *flask) enqueue(ctx context.Context, a, b int) (string, error) {
	status, body, err := app.ask(ctx, http.MethodPost, fmt.Sprintf("/enqueue?a=%d&b=%d", a, b))
	if err != nil || status != http.StatusAccepted {
		return "", fmt.Errorf("/enqueue: status %d, %w: %s", status, err, body)
	}
	var answer struct{ ID string }
	return answer.ID, json.Unmarshal(body, &answer)
}

// result waits until the job is finished and gives its result.
func (app *flask) result(ctx context.Context, id string) (int, error) {
	for {
		status, body, err := app.ask(ctx, http.MethodGet, "/job/"+id)
		var answer struct {
			Status string
			Result int
		}
		if err == nil {
			err = json.Unmarshal(body, &answer)
		}
		if err == nil && answer.Status == "finished" {
			return answer.Result, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("job %s: status %d, %w: %s", id, status, err, body)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestFlask probes the app through failovers that are shorter than hold.
func TestFlask(t *testing.T) {
	onlyFigures(t) // the short form is part of TestRQ
	needPython(t, "flask", "rq")
	st := newStage(t, topology.Options{})
	app := startFlask(t, st.s)
	h := app.watch(t.Context())
	st.failOvers(t, rounds(t), all...)
	d, control := h.judge(t, st, eachKind(t))
	recorded.user("Flask", debianVersion(t, "python3-flask"), eachKind(t)+", `/health/redis` each 100 ms",
		"%d of %d answers 200; %d took more than 100 ms, as did %d of %d on a path without Redis", d.n-d.wrong, d.n, d.slow, control.slow, control.n)
}

// TestFlaskWithoutRedis takes the only Redis away for longer than hold: 503 soon after the hold's end, and
// 200 soon after Redis is back.
func TestFlaskWithoutRedis(t *testing.T) {
	needPython(t, "flask", "rq")
	const hold = 2 * time.Second
	for range rounds(t) {
		st := newStage(t, topology.Options{Replicas: -1}, "--hold", hold.String())
		app := startFlask(t, st.s)
		watched := app.probe(t.Context(), "/health/redis")
		gone := time.Now()
		must(t, st.d.Nodes[0].Kill())
		<-time.After(hold + 3*time.Second) // this long Redis is gone: nothing is waited for
		must(t, st.d.Nodes[0].Restart(within(t, 30*time.Second)))
		back := time.Now()
		ctx := within(t, 30*time.Second)
		for status := 0; status != http.StatusOK && ctx.Err() == nil; {
			status, _, _ = app.ask(ctx, http.MethodGet, "/health/redis")
		}
		healthy := time.Since(back)
		judgeOutage(t, watched.stop(), gone.Add(hold), back, healthy)
	}
}

func judgeOutage(t *testing.T, probes []probe, over, back time.Time, healthy time.Duration) {
	t.Helper()
	var first, last time.Time // the answers 503
	for _, p := range probes {
		switch {
		case p.status == http.StatusServiceUnavailable:
			if first.IsZero() {
				first = p.at.Add(p.took)
			}
			last = p.at
		case p.status != http.StatusOK:
			t.Errorf("status %d", p.status)
		case p.at.After(over.Add(time.Second)) && p.at.Before(back):
			t.Errorf("200 at %v after the hold's end", p.at.Sub(over))
		}
	}
	if first.IsZero() {
		t.Fatal("never 503")
	}
	recorded.row(t, "Flask, /health/redis each 100 ms", "Redis gone for longer than `hold` (2 s)",
		"503 from %.1f s after the hold's end on; 200 %.1f s after Redis was back", first.Sub(over).Seconds(), healthy.Seconds())
	if first.Sub(over) > time.Second || last.Sub(back) > 2*time.Second || healthy > 2*time.Second {
		t.Errorf("503 from %v after the hold's end until %v after Redis was back, healthy after %v", first.Sub(over), last.Sub(back), healthy)
	}
}
