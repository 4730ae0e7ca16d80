package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// TestMasters: what is about one master names it, unless there is but one; a name that
// nobody has is an error that says which there are.
func TestMasters(t *testing.T) {
	tests := []struct {
		masters      string
		method, path string
		code         int
		body         string
	}{
		{"a", "GET", "/api/status", 200, `"status of "`},
		{"a", "GET", "/api/status?master=a", 200, `"status of a"`},
		{"a", "GET", "/api/status?master=b", 404, "there is no master 'b' here; choose one of a"},
		{"a", "GET", "/api/history", 200, `"history of  after 0"`},
		{"a", "POST", "/api/switchover", 200, `"switched "`},
		{"a", "POST", "/api/switchover?master=b", 404, "there is no master 'b' here"},
		{"a b", "GET", "/api/status", 200, `"status of "`},
		{"a b", "GET", "/api/status?master=b", 200, `"status of b"`},
		{"a b", "GET", "/api/status?master=c", 404, "there is no master 'c' here; choose one of a, b"},
		{"a b", "GET", "/api/history", 400, "there are several masters; add ?master= and one of a, b"},
		{"a b", "GET", "/api/history?master=b&after=7", 200, `"history of b after 7"`},
		{"a b", "POST", "/api/switchover", 400, "there are several masters; add ?master= and one of a, b"},
		{"a b", "POST", "/api/switchover?master=b", 200, `"switched b"`},
		{"a b", "POST", "/api/reload", 200, `"reloaded"`},
		{"", "GET", "/api/status?master=x", 200, `"status of x"`},
	}
	for _, test := range tests {
		s, err := New(Options{
			Masters:       strings.Fields(test.masters),
			Ready:         func() (bool, string) { return true, "" },
			Status:        func(master string) any { return "status of " + master },
			History:       func(master string, after int64) any { return fmt.Sprint("history of ", master, " after ", after) },
			Actions:       map[string]Action{"reload": func(context.Context) (any, error) { return "reloaded", nil }},
			MasterActions: map[string]MasterAction{"switchover": func(_ context.Context, master string) (any, error) { return "switched " + master, nil }},
			Token:         func() string { return "t" },
			Gatherer:      prometheus.NewRegistry(), Log: zap.NewNop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), test.method, test.path, http.NoBody)
		r.Header.Set("Authorization", "Bearer t")
		s.ServeHTTP(w, r)
		if w.Code != test.code || !strings.Contains(w.Body.String(), test.body) {
			t.Errorf("%q: %s %s: %d %s", test.masters, test.method, test.path, w.Code, w.Body)
		}
	}
}
