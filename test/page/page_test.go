package page

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"steadis/test/browser"
)

// recordStates notes each state that the page shows, and what a screen reader is told.
const recordStates = `(() => {
  window.states = [document.getElementById("state").textContent]; window.told = [];
  new MutationObserver(() => states.push(document.getElementById("state").textContent)).observe(document.getElementById("state"), { childList: true, characterData: true, subtree: true });
  new MutationObserver(() => told.push(document.getElementById("announce").textContent)).observe(document.getElementById("announce"), { childList: true, characterData: true, subtree: true });
  return true;
})()`

// TestLivePage goes with one page through a planned failover and a crash.
func TestLivePage(t *testing.T) {
	s := newStage(t)
	browser.Look(t, s.ctx, s.url, "light")
	s.await(t, "state Serving", `document.getElementById("state").textContent === "Serving"`)
	s.await(t, "latency", `document.querySelector("#latency-reading")?.textContent.includes("ms") || document.querySelector("#latency-reading")?.textContent.includes("µs")`)
	browser.Run(t, s.ctx, chromedp.Evaluate[bool](recordStates))
	t.Run("what it shows", s.checkShown)
	t.Run("names stay text", s.checkNames)
	t.Run("planned failover", func(t *testing.T) { s.failover(t, s.planned) })
	t.Run("crash", func(t *testing.T) { s.failover(t, s.crash) })
	t.Run("timeline", s.checkTimeline)
	t.Run("accessibility", s.checkAccessibility)
	t.Run("keyboard", s.checkKeyboard)
	s.await(t, "replicas online", `document.querySelectorAll("#nodes td.good").length >= 2`)
	t.Run("sizes and colours", s.checkLooks)
	s.watched.Check(t, s.url)
	t.Run("steadis has gone", s.checkLost)
}

func (s *stage) checkShown(t *testing.T) {
	master, err := s.deployment.Master(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.await(t, "replicas online", `document.querySelectorAll("#nodes tbody td.good").length === 3`)
	s.await(t, "Sentinels that answer", `document.querySelectorAll("#sentinels td.good").length === 6`)
	s.await(t, "blocked client", `document.getElementById("clients").textContent.includes("blocked")`)
	for selector, want := range map[string][]string{
		"#sentence":  {master.Addr()},
		"#name":      {"mymaster"},
		"#sentinels": {"answers", "subscribed", master.Addr(), "epoch"},
		"#nodes":     {master.Addr(), "online", "verified"},
		"#clients":   {"web-1", "worker-1", "default", "blpop", "set"},
		"#failovers": {"No failover"},
		"#figures":   {"3 of 3", "none"},
		"#drawing":   {"this proxy", "5 clients", "3 of 3 subscribed"},
	} {
		got := strings.ToLower(s.text(t, selector))
		for _, w := range want {
			if !strings.Contains(got, strings.ToLower(w)) {
				t.Errorf("%s does not say %q: %s", selector, w, got)
			}
		}
	}
	if title := browser.Run(t, s.ctx, chromedp.Title()); title != "Serving · steadis" {
		t.Errorf("the title is %q", title)
	}
}

func (s *stage) checkNames(t *testing.T) {
	s.await(t, "the evil name, as text", `document.getElementById("clients").textContent.includes("<img/src=x")`)
	if n := browser.Run(t, s.ctx, chromedp.Evaluate[int](`document.querySelectorAll("main img, #clients script").length`)); n != 0 {
		t.Errorf("a client's name became %d elements", n)
	}
	if title := browser.Run(t, s.ctx, chromedp.Title()); title == "1" {
		t.Error("a client's name ran as a script")
	}
}

func (s *stage) planned(ctx context.Context, t *testing.T) {
	if err := s.deployment.Failover(ctx); err != nil {
		t.Fatal(err)
	}
}

func (s *stage) crash(ctx context.Context, t *testing.T) {
	master, err := s.deployment.Master(ctx)
	if err != nil {
		t.Fatal(err)
	}
	browser.Run(t, s.ctx, chromedp.Evaluate[bool](`(states.length = 0, told.length = 0, true)`)) // the former failover's
	if err := master.Kill(); err != nil {
		t.Fatal(err)
	}
	// The page asks each second, and Sentinel waits as long before it does anything.
	s.await(t, "state Holding", `states.includes("Holding")`)
	browser.Keep(t, "live-holding.png", browser.Run(t, s.ctx, chromedp.CaptureScreenshot()))
	if told := s.told(t); !strings.HasPrefix(told, "Holding. ") {
		t.Errorf("a screen reader was told %q", told)
	}
}

func (s *stage) told(t *testing.T) string {
	t.Helper()
	return browser.Run(t, s.ctx, chromedp.Evaluate[string](`told.find((x) => x.startsWith("Holding")) ?? ""`))
}

// failover takes the master away and waits for the page to tell how it went.
func (s *stage) failover(t *testing.T, trigger func(context.Context, *testing.T)) {
	before, err := s.deployment.Master(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	trigger(t.Context(), t)
	s.await(t, "switch in the list", `[...document.querySelectorAll(".failover summary")].some((x) => x.textContent.includes("Switched") && x.querySelector(".who").textContent.startsWith("`+before.Addr()+` →"))`)
	s.await(t, "state Serving", `document.getElementById("state").textContent === "Serving" && !document.getElementById("sentence").textContent.includes("`+before.Addr()+`")`)
	if before.Alive() { // or the next one would find no replica to promote
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := s.deployment.AwaitSettled(ctx); err != nil {
			t.Fatal(err)
		}
	}
	after, err := s.deployment.Master(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Where processes starve there may be another hold meanwhile.
	s.await(t, "new master", `document.getElementById("sentence").textContent.includes("Commands go to `+after.Addr()+`")`)
}

// checkTimeline reads the newest change of master, which was a crash.
func (s *stage) checkTimeline(t *testing.T) {
	row := `[...document.querySelectorAll(".failover")].find((x) => x.textContent.includes("Switched"))`
	s.await(t, "drained", row+`.textContent.includes("after it resumed")`)
	if summary := browser.Run(t, s.ctx, chromedp.Evaluate[string](row+`.querySelector("summary").textContent`)); !strings.Contains(summary, "master was down") || !strings.Contains(summary, "longest wait") {
		t.Errorf("the summary is %q", summary)
	}
	steps := browser.Run(t, s.ctx, chromedp.Evaluate[[]string](`[...`+row+`.querySelectorAll(".steps tbody tr")].map((x) => x.innerText || x.textContent)`))
	last := -1
	for _, want := range []string{"commands are held", "+odown", "+try-failover", "follow ", "has proved to be a master", "commands go to"} {
		at := slices.IndexFunc(steps, func(step string) bool { return strings.Contains(step, want) })
		if at <= last {
			t.Errorf("%q is not in its place in the timeline: %q", want, steps)
		}
		last = max(last, at)
	}
}

func (s *stage) checkLooks(t *testing.T) {
	backgrounds := map[string]bool{}
	for _, size := range []struct {
		name          string
		width, height int
	}{{"wide", 1280, 1000}, {"narrow", 390, 844}} {
		for _, scheme := range []string{"light", "dark"} {
			browser.Resize(t, s.ctx, size.width, size.height)
			browser.Prefer(t, s.ctx, scheme)
			s.await(t, "drawing of that size", `document.querySelector(".drawing.`+size.name+`")`)
			if browser.Run(t, s.ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)) {
				t.Errorf("%s: the page is wider than the window", size.name)
			}
			backgrounds[browser.Run(t, s.ctx, chromedp.Evaluate[string](`getComputedStyle(document.body).backgroundColor`))] = true
			s.checkContrast(t, size.name+" "+scheme)
			browser.Keep(t, "live-"+size.name+"-"+scheme+".png", browser.Run(t, s.ctx, chromedp.FullScreenshot(100)))
		}
	}
	if len(backgrounds) != 2 {
		t.Errorf("light and dark have one background: %v", backgrounds)
	}
	browser.Resize(t, s.ctx, 1200, 1600)
	browser.Prefer(t, s.ctx, "light")
	s.await(t, "drawing of that size", `(document.activeElement?.blur(), scrollTo(0, 0), document.querySelector(".drawing.wide"))`)
	browser.Keep(t, "live-page.png", browser.Small(t, browser.Run(t, s.ctx, chromedp.CaptureScreenshot())))
}

// checkLost ends steadis: what the page shows then is marked as old.
func (s *stage) checkLost(t *testing.T) {
	if err := s.steadis.Stop(); err != nil {
		t.Fatal(err)
	}
	s.await(t, "state No contact", `document.getElementById("state").textContent === "No contact"`)
	if got := s.text(t, "#sentence"); !strings.Contains(got, "has not answered since") {
		t.Errorf("the page says %q", got)
	}
}

// checkKeyboard goes through the page with Tab alone, opens a failover and reads a chart.
func (s *stage) checkKeyboard(t *testing.T) {
	browser.Run(t, s.ctx, chromedp.Evaluate[bool](`(document.activeElement?.blur(), getSelection().removeAllRanges(), scrollTo(0, 0), document.body.tabIndex = -1, document.body.focus(), true)`))
	where := `(() => { const e = document.activeElement, c = getComputedStyle(e);
	  const name = e.id || e.dataset.chart || e.getAttribute("href") || (e.matches("summary") ? "summary" : e.getAttribute("aria-labelledby") || e.getAttribute("aria-label") || e.tagName);
	  return name + "|" + c.outlineStyle + "|" + parseFloat(c.outlineWidth); })()`
	seen := map[string]bool{}
	for range 60 {
		browser.Run(t, s.ctx, chromedp.KeyEvent(kb.Tab))
		parts := strings.Split(browser.Run(t, s.ctx, chromedp.Evaluate[string](where)), "|")
		if parts[0] == "BODY" || seen["api/status"] {
			break
		}
		seen[parts[0]] = true
		if parts[1] == "none" || parts[2] == "0" {
			t.Errorf("%s shows no focus: %v", parts[0], parts)
		}
	}
	for _, want := range []string{"#main", "pause", "commands", "latency", "held", "summary", "c-clients", "c-sentinels", "readyz", "api/status"} {
		if !seen[want] {
			t.Errorf("Tab does not reach %s: %v", want, seen)
		}
	}
	browser.Run(t, s.ctx, chromedp.Focus(chromedp.CSS(".failover summary")))
	browser.Run(t, s.ctx, chromedp.KeyEvent(kb.Enter))
	s.await(t, "open failover", `document.querySelector(".failover").open && document.querySelector(".failover .steps").getBoundingClientRect().height > 0`)
	browser.Run(t, s.ctx, chromedp.Focus(chromedp.CSS("[data-chart=commands]")))
	browser.Run(t, s.ctx, chromedp.KeyEvent(kb.ArrowLeft))
	s.await(t, "reading of another second", `/^\d\d:\d\d:\d\d: /.test(document.getElementById("commands-reading").textContent)`)
	browser.Run(t, s.ctx, chromedp.Focus(chromedp.CSS("#pause")))
	browser.Run(t, s.ctx, chromedp.KeyEvent(" "))
	s.await(t, "pause", `document.getElementById("pause").getAttribute("aria-pressed") === "true"`)
	browser.Run(t, s.ctx, chromedp.KeyEvent(" "))
	s.await(t, "end of the pause", `document.getElementById("pause").getAttribute("aria-pressed") === "false"`)
}
