package admin

import "net/http"

// indexPage names the paths to whoever opens the address in a browser.
const indexPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>steadis</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }</style>
<h1>steadis</h1>
<ul>
<li><a href="/readyz">/readyz</a>: whether clients are served, and why if not
<li><a href="/livez">/livez</a>: whether the process is alive
<li><a href="/api/status">/api/status</a>: what steadis knows and does, as JSON
<li><a href="/metrics">/metrics</a>: what it counts, for Prometheus
</ul>
</html>
`

func serveIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	send(w, http.StatusOK, []byte(indexPage))
}
