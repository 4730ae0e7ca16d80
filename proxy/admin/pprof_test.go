package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// TestProfilesOnlyWhereWanted: they show what the process does and cost time.
func TestProfilesOnlyWhereWanted(t *testing.T) {
	for _, on := range []bool{false, true} {
		s, err := New(Options{Ready: func() (bool, string) { return true, "" }, Status: func() any { return nil },
			Gatherer: prometheus.NewRegistry(), Log: zap.NewNop(), Profile: on})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline"} {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if got := w.Code == http.StatusOK; got != on {
				t.Errorf("%s: %d, profiles wanted: %v", path, w.Code, on)
			}
		}
	}
}
