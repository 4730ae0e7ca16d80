package page

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"steadis/test/browser"
	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// patience is how long anything may take on a machine that has other things to do.
const patience = 90 * time.Second

// evil is a client's name that would run as a script if the page took it for markup.
const evil = `<img/src=x/onerror=document.title=1>`

// stage is a deployment with a steadis in front of it, clients and a browser.
type stage struct {
	deployment *topology.Deployment
	steadis    *topology.Steadis
	ctx        context.Context // the browser's tab
	watched    *browser.Watched
	url        string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := &stage{}
	var err error
	if s.deployment, err = topology.Start(ctx, topology.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.deployment.Close(); err != nil {
			t.Error(err)
		}
	})
	s.steadis, err = topology.RunSteadis(ctx, topology.SteadisOptions{Binary: binary, Dir: t.TempDir(),
		Args: []string{"--sentinel", s.deployment.SentinelAddrs(), "--master", s.deployment.Name(), "--in-doubt", "error", "--upstream-heartbeat", "10s", "--sentinel-timeout", "10s"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.steadis.Stop(); err != nil {
			t.Error(err)
		}
	})
	s.url = "http://" + s.steadis.AdminAddr + "/"
	s.load(t)
	s.ctx = browser.Start(t, 5*time.Minute)
	s.watched = browser.Watch(t, s.ctx)
	return s
}

// load has some clients write and read until the test ends, and one wait for a job.
func (s *stage) load(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var clients sync.WaitGroup
	for i, name := range []string{"web-1", "web-2", "web-3", evil, "worker-1"} {
		c, err := wire.Dial(ctx, s.steadis.Addr)
		if err != nil {
			t.Fatal(err)
		}
		clients.Go(func() { s.client(ctx, c, name, i) })
	}
	t.Cleanup(func() {
		cancel()
		clients.Wait()
	})
}

func (s *stage) client(ctx context.Context, c *wire.Conn, name string, number int) {
	defer c.Close()
	_, _ = c.Do(ctx, "CLIENT", "SETNAME", name)
	pause := time.NewTicker(time.Duration(10+number) * time.Millisecond)
	defer pause.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		var err error
		if name == "worker-1" {
			_, err = c.Do(ctx, "BLPOP", "jobs", "0")
		} else {
			_, err = c.Do(ctx, "SET", fmt.Sprint("key:", number), fmt.Sprint(n))
		}
		if err != nil && ctx.Err() == nil && err.Error() == "EOF" {
			return
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

// await waits until a condition holds in the page.
func (s *stage) await(t *testing.T, what, condition string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !browser.Run(t, s.ctx, chromedp.Evaluate[bool]("Boolean("+condition+")")) {
		if time.Now().After(deadline) {
			text := browser.Run(t, s.ctx, chromedp.Evaluate[string]("document.body.innerText"))
			t.Fatalf("no %s; the page says:\n%s", what, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// text gives what an element shows.
func (s *stage) text(t *testing.T, selector string) string {
	t.Helper()
	return browser.Run(t, s.ctx, chromedp.Evaluate[string](fmt.Sprintf("document.querySelector(%q).textContent", selector)))
}
