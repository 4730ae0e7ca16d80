package admin

import (
	"embed"
	"encoding/json"
	"net/http"
	"path"
	"strconv"

	"go.uber.org/zap"
)

// The live page is static: a script in it asks /api/status and /api/history, and shows
// what comes as text. Whatever clients and servers say of themselves stays text.

//go:embed page
var page embed.FS

// pageFiles are what index.html refers to, under /page/.
var pageFiles = []string{"style.css", "icon.svg", "app.js", "dom.js", "state.js", "deployment.js", "chart.js", "failovers.js", "tables.js", "masters.js"}

// pageTypes are the files' types; the machine's own table may differ.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// contentPolicy lets a page have what this server sends and nothing else: no script or
// style in a page's own text, nothing from elsewhere, no frames.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// servePage serves one file of the page. They are part of the program, so that a missing
// one is found by any test.
func servePage(name string) http.HandlerFunc {
	body, err := page.ReadFile(path.Join("page", name))
	if err != nil {
		panic(err)
	}
	kind := pageTypes[path.Ext(name)]
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		send(w, http.StatusOK, body)
	}
}

// serveHistory answers "what went through lately?": ?after=<ms since 1970> leaves out
// what the one who asks has already, and ?master= says whose it is, where there are several.
func (s *Server) serveHistory(w http.ResponseWriter, r *http.Request) {
	after := int64(0)
	if given := r.URL.Query().Get("after"); given != "" {
		n, err := strconv.ParseInt(given, 10, 64)
		if err != nil {
			text(w, http.StatusBadRequest, "steadis: after must be a number of milliseconds since 1970")
			return
		}
		after = n
	}
	master, status, problem := s.chosen(r)
	if problem != "" {
		text(w, status, problem)
		return
	}
	data, err := json.Marshal(s.options.History(master, after))
	if err != nil {
		s.options.Log.Error("the history cannot be written as JSON", zap.Error(err))
		text(w, http.StatusInternalServerError, "steadis: the history cannot be written as JSON: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	send(w, http.StatusOK, append(data, '\n'))
}
