package drill

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"steadis/test/browser"
)

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
	ctx := browser.Start(t, 90*time.Second)
	w := browser.Watch(t, ctx)
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
				browser.Look(t, ctx, page, scheme)
				title := browser.Run(t, ctx, chromedp.Title())
				seen := browser.Run(t, ctx, chromedp.Evaluate[drawn](lookAtCharts))
				reading := readWithKeys(t, ctx)
				shot := browser.Run(t, ctx, chromedp.FullScreenshot(100))
				browser.Keep(t, tc.name+"-"+scheme+".png", shot)
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
	w.Check(t, "file:", "data:")
}

// readWithKeys moves the reading of the first charts with the keyboard alone.
func readWithKeys(t *testing.T, ctx context.Context) string {
	t.Helper()
	charts := chromedp.CSS("[data-chart]")
	browser.Run(t, ctx, chromedp.Focus(charts))
	browser.Run(t, ctx, chromedp.SendKeys(charts, kb.ArrowRight+kb.ArrowRight))
	return browser.Run(t, ctx, chromedp.Text(chromedp.CSS(".reading")))
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
