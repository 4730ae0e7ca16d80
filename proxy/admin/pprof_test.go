package admin

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// TestProfilesOnlyWhereWanted: they show what the process does and cost time.
func TestProfilesOnlyWhereWanted(t *testing.T) {
	for _, on := range []bool{false, true} {
		s, err := New(Options{Ready: func() (bool, string) { return true, "" }, Status: func(string) any { return nil },
			Gatherer: prometheus.NewRegistry(), Log: zap.NewNop(), Profile: on})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline"} {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if on && path == "/debug/pprof/cmdline" && (strings.Contains(w.Body.String(), "-test.") || !strings.HasPrefix(w.Body.String(), os.Args[0])) {
				t.Errorf("the command line is %q, want the program alone: flags may hold passwords", w.Body)
			}
			if got := w.Code == http.StatusOK; got != on {
				t.Errorf("%s: %d, profiles wanted: %v", path, w.Code, on)
			}
		}
	}
}
