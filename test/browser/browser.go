// Package browser opens pages in a headless Chromium, for tests of what steadis shows.
package browser

import (
	"context"
	"fmt"
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
)

// Screenshots names a directory to keep the pages' screenshots in; empty for none.
const Screenshots = "TEST_SCREENSHOTS"

// Start starts a headless Chromium that has ended when the test has, and after most at
// the latest.
func Start(t *testing.T, most time.Duration) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(find(t)),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 900), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := context.WithTimeout(t.Context(), most)
	ctx, endProcess := chromedp.NewExecAllocator(ctx, options...)
	ctx, endTab := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		endTab()
		endProcess()
		cancel()
	})
	return ctx
}

func find(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no chromium to open the page with: test/setup.sh --tests installs it (where the package is only a snap, install Chrome or Chromium yourself)")
	return ""
}

// Watched is what the pages of a tab did that they should not. Its methods may be called
// concurrently.
type Watched struct {
	mu       sync.Mutex // guards what follows
	console  []string
	requests []string
}

// Watch notes what the tab's pages do from now on.
func Watch(t *testing.T, ctx context.Context) *Watched {
	t.Helper()
	w := &Watched{}
	if err := chromedp.Listen(ctx, w.listen); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *Watched) listen(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch event := event.(type) {
	case *runtime.EventConsoleAPICalled:
		w.console = append(w.console, fmt.Sprintf("%s %v", event.Type, event.Args))
	case *runtime.EventExceptionThrown:
		text := event.ExceptionDetails.Text
		if e := event.ExceptionDetails.Exception; e != nil {
			text += " " + e.Description
		}
		w.console = append(w.console, text)
	case *log.EventEntryAdded:
		w.console = append(w.console, event.Entry.Text)
	case *network.EventRequestWillBeSent:
		w.requests = append(w.requests, event.Request.URL)
	}
}

// Check fails the test for each line in the console and each request to anything but
// addresses that begin with one of own; one request at least must have been seen.
func (w *Watched) Check(t *testing.T, own ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.console {
		t.Errorf("the console says: %s", line)
	}
	for _, request := range w.requests {
		known := false
		for _, prefix := range own {
			known = known || strings.HasPrefix(request, prefix)
		}
		if !known {
			t.Errorf("the page asked the network for %s", request)
		}
	}
	if len(w.requests) == 0 {
		t.Error("no request was seen, not even for the page itself: this test looks in the wrong place")
	}
}

// Run runs one action, which must succeed.
func Run[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// Look opens the page as somebody who likes it light or dark, and listens to what it does.
func Look(t *testing.T, ctx context.Context, page, scheme string) {
	t.Helper()
	Run(t, ctx, func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, tab, log.Enable, cdp.Empty{})
		if err == nil {
			_, err = cdp.Call(ctx, tab, network.Enable, network.EnableParams{})
		}
		return chromedp.Void{}, err
	})
	Prefer(t, ctx, scheme)
	Run(t, ctx, chromedp.Navigate(page))
}

// Prefer says whether pages are liked light or dark.
func Prefer(t *testing.T, ctx context.Context, scheme string) {
	t.Helper()
	Run(t, ctx, func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return chromedp.Void{}, err
	})
}

// Resize gives the window another size, in CSS pixels.
func Resize(t *testing.T, ctx context.Context, width, height int) {
	t.Helper()
	Run(t, ctx, func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, tab, emulation.SetDeviceMetricsOverride,
			emulation.SetDeviceMetricsOverrideParams{Width: int64(width), Height: int64(height), DeviceScaleFactor: 1})
		return chromedp.Void{}, err
	})
}

// Keep keeps a screenshot if the environment asks for it. One of almost nothing fails the
// test.
func Keep(t *testing.T, name string, shot []byte) {
	t.Helper()
	if len(shot) < 20_000 {
		t.Errorf("the screenshot has only %d bytes", len(shot))
	}
	if dir := os.Getenv(Screenshots); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), shot, 0o644); err != nil {
			t.Error(err)
		}
	}
}
