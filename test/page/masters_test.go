package page

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"steadis/test/browser"
	"steadis/test/harness"
	"steadis/test/topology"
)

// TestPageOfTwoMasters: the page is about one of them, which the keyboard can change, says of
// the other one that it is out, and stays with the choice.
func TestPageOfTwoMasters(t *testing.T) {
	ctx := harness.Within(t, patience)
	deploy := func(name string, sentinels int) *topology.Deployment {
		d, err := topology.Start(ctx, topology.Options{Name: name, Replicas: -1, Sentinels: sentinels})
		harness.Must(t, err)
		t.Cleanup(func() { harness.Must(t, d.Close()) })
		return d
	}
	cache, sessions := deploy("cache", 3), deploy("sessions", -1)
	monitor(ctx, t, cache, sessions)
	other, err := topology.FreeAddr()
	harness.Must(t, err)
	s := &stage{deployment: cache}
	s.startTwo(ctx, t, other)
	s.ctx = browser.Start(t, 5*time.Minute)
	s.watched = browser.Watch(t, s.ctx)
	browser.Look(t, s.ctx, s.url, "light")
	s.await(t, "state Serving", `document.getElementById("state").textContent === "Serving"`)
	s.await(t, "the first master", `document.getElementById("sentence").textContent.includes("`+cache.Nodes[0].Addr()+`") && document.title === "Serving · cache · steadis"`)

	harness.Must(t, sessions.Nodes[0].Kill())
	s.await(t, "word of the other", `document.getElementById("others").textContent === "! sessions (out)"`)
	browser.Run(t, s.ctx, chromedp.Focus(chromedp.CSS("#master")))
	browser.Run(t, s.ctx, chromedp.KeyEvent(kb.ArrowDown))
	s.await(t, "the second master", `document.getElementById("name").textContent.includes("sessions") && document.getElementById("state").textContent === "Out"`)
	s.await(t, "the choice in the address", `location.search === "?master=sessions" && document.getElementById("master").value === "sessions" && document.getElementById("others").textContent === ""`)
	browser.Keep(t, "live-masters.png", browser.Run(t, s.ctx, chromedp.FullScreenshot(100)))
	s.checkAccessibility(t)
	for _, scheme := range []string{"light", "dark"} {
		browser.Prefer(t, s.ctx, scheme)
		s.checkContrast(t, "several masters, "+scheme)
	}
	browser.Resize(t, s.ctx, 390, 844)
	s.await(t, "narrow drawing", `document.querySelector(".drawing.narrow")`)
	if browser.Run(t, s.ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)) {
		t.Error("the page is wider than the window")
	}
	browser.Look(t, s.ctx, s.url+"?master=sessions", "light")
	s.await(t, "the choice again", `document.getElementById("master").value === "sessions" && document.getElementById("state").textContent === "Out"`)
	s.watched.Check(t, s.url)
}

// monitor has the Sentinels of one deployment watch another one's master too.
func monitor(ctx context.Context, t *testing.T, by, what *topology.Deployment) {
	t.Helper()
	host, port, err := net.SplitHostPort(what.Nodes[0].Addr())
	harness.Must(t, err)
	for _, s := range by.Sentinels {
		_, err := s.Do(ctx, "SENTINEL", "MONITOR", what.Name(), host, port, "2")
		harness.Must(t, err)
	}
}

// startTwo runs steadis for both masters, the second one's clients at other.
func (s *stage) startTwo(ctx context.Context, t *testing.T, other string) {
	t.Helper()
	var err error
	s.steadis, err = topology.RunSteadis(ctx, topology.SteadisOptions{Binary: binary, Dir: t.TempDir(), NoListen: true,
		Args: []string{"--sentinel", s.deployment.SentinelAddrs(), "--masters", strings.Join([]string{"cache=127.0.0.1:0", "sessions=" + other + " hold=1s"}, ",")}})
	harness.Must(t, err)
	t.Cleanup(func() { harness.Must(t, s.steadis.Stop()) })
	s.url = "http://" + s.steadis.AdminAddr + "/"
}
