package admin

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

func pageServer(t *testing.T, history func(string, int64) any) *Server {
	t.Helper()
	s, err := New(Options{Ready: func() (bool, string) { return true, "" }, Status: func(string) any { return nil }, History: history,
		Gatherer: prometheus.NewRegistry(), Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(s *Server, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// TestPageIsWhole: every file of the page is served, refers only to files that are, and
// needs nothing that the content policy forbids.
func TestPageIsWhole(t *testing.T) {
	s := pageServer(t, nil)
	served := map[string]string{"": get(s, "/").Body.String()}
	for _, name := range pageFiles {
		w := get(s, "/page/"+name)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != pageTypes[name[strings.LastIndex(name, "."):]] {
			t.Errorf("%s: %d %s", name, w.Code, w.Header().Get("Content-Type"))
		}
		served[name] = w.Body.String()
	}
	entries, err := fs.ReadDir(page, "page")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); name != "index.html" && !slices.Contains(pageFiles, name) {
			t.Errorf("%s is a part of the program and not served", name)
		}
	}
	refers := regexp.MustCompile(`(?:href|src)="page/([^"]+)"|from "\./([^"]+)"`)
	for name, text := range served {
		for _, found := range refers.FindAllStringSubmatch(text, -1) {
			if target := found[1] + found[2]; !slices.Contains(pageFiles, target) {
				t.Errorf("%q refers to %s, which is not served", name, target)
			}
		}
		for _, forbidden := range []string{"https://", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=", "onclick=", "@import", "url("} {
			if strings.Contains(text, forbidden) {
				t.Errorf("%q has %s in it", name, forbidden)
			}
		}
	}
	policy := get(s, "/").Header().Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy %q lacks %s", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
	for _, path := range []string{"/page/", "/page/index.html", "/page/../admin.go", "/page/nothing.js"} {
		if code := get(s, path).Code; code == http.StatusOK {
			t.Errorf("%s is served", path)
		}
	}
}

func TestHistory(t *testing.T) {
	var asked []int64
	s := pageServer(t, func(_ string, after int64) any { asked = append(asked, after); return []int64{after} })
	if w := get(s, "/api/history?after=1795915564585"); w.Code != http.StatusOK || w.Body.String() != "[1795915564585]\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(s, "/api/history"); w.Code != http.StatusOK || w.Body.String() != "[0]\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(s, "/api/history?after=yesterday"); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "milliseconds") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if len(asked) != 2 {
		t.Errorf("asked %v", asked)
	}
	if w := get(pageServer(t, func(string, int64) any { return func() {} }), "/api/history"); w.Code != http.StatusInternalServerError {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(pageServer(t, nil), "/api/history"); w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
}
