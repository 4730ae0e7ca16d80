package drill

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// screenshots names a directory to keep the pages' screenshots in; empty for none.
const screenshots = "STEADIS_SCREENSHOTS"

func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no chromium to open the page with: test/setup.sh --tests installs it (where the package is only a snap, install Chrome or Chromium yourself)")
	return ""
}

// browser starts a headless Chromium that has ended when the test has.
func browser(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(findChromium(t)),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 900), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	ctx, endProcess := chromedp.NewExecAllocator(ctx, options...)
	ctx, endTab := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		endTab()
		endProcess()
		cancel()
	})
	return ctx
}

// watched is what a page did that it should not.
type watched struct {
	mu       sync.Mutex // guards what follows
	console  []string
	requests []string
}

func (w *watched) listen(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch event := event.(type) {
	case *runtime.EventConsoleAPICalled:
		w.console = append(w.console, fmt.Sprintf("%s %v", event.Type, event.Args))
	case *runtime.EventExceptionThrown:
		w.console = append(w.console, event.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		w.console = append(w.console, event.Entry.Text)
	case *network.EventRequestWillBeSent:
		w.requests = append(w.requests, event.Request.URL)
	}
}

// drawn is what a page's charts have in them, as the browser sees it.
type drawn struct {
	Charts, Named int
	// Points is the least number of points of the lines that every round has.
	Points map[string]int
	// Lengths are those of the lines as drawn, in units.
	Lengths          map[string]float64
	Dots, Shown      int
	Phases, Marks    int
	Window           bool
	Labels           []string
	Background, Ink  string
	Overflow         bool
	Tables, Headings int
}

const lookAtCharts = `(() => {
  const all = (s) => [...document.querySelectorAll(s)];
  const points = {}, lengths = {};
  for (const line of all(".line")) {
    const name = line.classList[1], d = line.getAttribute("d");
    points[name] = Math.min(points[name] ?? Infinity, (d.match(/[ML]/g) || []).length);
    lengths[name] = Math.min(lengths[name] ?? Infinity, line.getTotalLength());
  }
  const seen = (e) => { const b = e.getBoundingClientRect(); return b.width > 0 && b.height > 0; };
  const name = (svg) => svg.getAttribute("aria-labelledby").split(" ").every((id) => document.getElementById(id)?.textContent.length > 10);
  const style = getComputedStyle(document.body);
  return { Charts: all("svg.chart").filter(seen).length, Named: all("svg.chart").filter(name).length, Points: points, Lengths: lengths,
    Dots: all(".dot").length, Shown: all(".dot").filter(seen).length, Phases: all(".phase").filter(seen).length, Marks: all(".mark line").length,
    Window: all(".window").every(seen) && all(".window").length > 0, Labels: all(".label text").map((e) => e.textContent),
    Background: style.backgroundColor, Ink: style.color, Overflow: document.documentElement.scrollWidth > innerWidth,
    Tables: all("table").length, Headings: all("h1, h2").length };
})()`

func TestPageInABrowser(t *testing.T) {
	ctx := browser(t)
	w := &watched{}
	if err := chromedp.Listen(ctx, w.listen); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		report *Report
		rounds int
		title  string
	}{
		{"passed", sampleReport(sampleMeasured(1), sampleMeasured(2)), 2, "Failover drill, passed: mymaster, freeze"},
		{"not-passed", sampleReport(sampleMeasured(1), spoil(sampleMeasured(2))), 2, "Failover drill, not passed: mymaster, freeze"},
	} {
		paths, err := tc.report.Write(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		page := (&url.URL{Scheme: "file", Path: paths[1]}).String()
		backgrounds := map[string]bool{}
		for _, scheme := range []string{"light", "dark"} {
			t.Run(tc.name+" "+scheme, func(t *testing.T) {
				look(t, ctx, page, scheme)
				title := run(t, ctx, chromedp.Title())
				seen := run(t, ctx, chromedp.Evaluate[drawn](lookAtCharts))
				reading := readWithKeys(t, ctx)
				shot := run(t, ctx, chromedp.FullScreenshot(100))
				keep(t, tc.name+"-"+scheme+".png", shot)
				if title != tc.title {
					t.Errorf("the title is %q", title)
				}
				checkDrawn(t, seen, tc.rounds)
				if !strings.Contains(reading, "writes/s") || !strings.Contains(reading, "median") {
					t.Errorf("the arrow keys read %q", reading)
				}
				backgrounds[seen.Background] = true
				if seen.Background == seen.Ink {
					t.Errorf("the ink is the paper: %s", seen.Ink)
				}
			})
		}
		if len(backgrounds) != 2 {
			t.Errorf("light and dark have one background: %v", backgrounds)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.console {
		t.Errorf("the console says: %s", line)
	}
	for _, request := range w.requests {
		if !strings.HasPrefix(request, "file:") && !strings.HasPrefix(request, "data:") {
			t.Errorf("the page asked the network for %s", request)
		}
	}
	if len(w.requests) == 0 {
		t.Error("no request was seen, not even for the page itself: this test looks in the wrong place")
	}
}

// run runs one action, which must succeed.
func run[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// look opens the page as somebody who likes it light or dark, and listens to what it
// does.
func look(t *testing.T, ctx context.Context, page, scheme string) {
	t.Helper()
	run(t, ctx, func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, tab, log.Enable, cdp.Empty{})
		if err == nil {
			_, err = cdp.Call(ctx, tab, network.Enable, network.EnableParams{})
		}
		if err == nil {
			_, err = cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		}
		return chromedp.Void{}, err
	})
	run(t, ctx, chromedp.Navigate(page))
}

// readWithKeys moves the reading of the first charts with the keyboard alone.
func readWithKeys(t *testing.T, ctx context.Context) string {
	t.Helper()
	charts := chromedp.CSS("[data-chart]")
	run(t, ctx, chromedp.Focus(charts))
	run(t, ctx, chromedp.SendKeys(charts, kb.ArrowRight+kb.ArrowRight))
	return run(t, ctx, chromedp.Text(chromedp.CSS(".reading")))
}

func checkDrawn(t *testing.T, seen drawn, rounds int) {
	t.Helper()
	if seen.Charts != 3*rounds || seen.Named != 3*rounds {
		t.Errorf("%d charts are shown and %d are named, want %d", seen.Charts, seen.Named, 3*rounds)
	}
	buckets := int(sampleLength / bucketWidth)
	for _, line := range []string{"writes", "reads", "p50", "p99", "max"} {
		if seen.Points[line] < buckets-2 {
			t.Errorf("the line %s has %d points, want about %d", line, seen.Points[line], buckets)
		}
		if seen.Lengths[line] < (plotRight-plotLeft)/2 {
			t.Errorf("the line %s is %.0f units long as drawn", line, seen.Lengths[line])
		}
	}
	if least := rounds * 12; seen.Dots < least || seen.Shown != seen.Dots {
		t.Errorf("%d marks, %d of them shown, want at least %d", seen.Dots, seen.Shown, least)
	}
	if seen.Phases < 4 || seen.Marks != rounds*9 || !seen.Window {
		t.Errorf("%d phases, %d vertical marks, window %v", seen.Phases, seen.Marks, seen.Window)
	}
	for _, want := range []string{"+sdown", "+try-failover", "+switch-master"} {
		if !strings.Contains(strings.Join(seen.Labels, " "), want) {
			t.Errorf("%s has no label: %v", want, seen.Labels)
		}
	}
	if seen.Overflow {
		t.Error("the page is wider than the window")
	}
	if seen.Tables < 1+3*rounds || seen.Headings < 3+rounds {
		t.Errorf("%d tables, %d headings", seen.Tables, seen.Headings)
	}
}

func keep(t *testing.T, name string, shot []byte) {
	t.Helper()
	if len(shot) < 20_000 {
		t.Errorf("the screenshot has only %d bytes", len(shot))
	}
	if dir := os.Getenv(screenshots); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), shot, 0o644); err != nil {
			t.Error(err)
		}
	}
}

// Without a browser: nothing in the page points outside, and texts from servers stay
// texts.
func TestPageStandsAlone(t *testing.T) {
	var b strings.Builder
	if err := sampleReport(spoil(sampleMeasured(1))).Page(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, foreign := range []string{"http://", "https://", "url(", "@import", "src=", "<script>alert"} {
		if strings.Contains(page, foreign) {
			t.Errorf("the page has %q in it", foreign)
		}
	}
	if strings.Count(page, "<script>") != 1 || !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Error("an error's text is not escaped")
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("the template refused a value")
	}
}
