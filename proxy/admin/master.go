package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// chosen gives the master that a request names by ?master=. If it must name one and does
// not, or there is none of that name, problem says which there are and status is the answer's.
func (s *Server) chosen(r *http.Request) (master string, status int, problem string) {
	names := strings.Join(s.options.Masters, ", ")
	switch master = r.URL.Query().Get("master"); {
	case master == "" && len(s.options.Masters) > 1:
		return "", http.StatusBadRequest, "steadis: there are several masters; add ?master= and one of " + names
	case master != "" && len(s.options.Masters) > 0 && !slices.Contains(s.options.Masters, master):
		return "", http.StatusNotFound, fmt.Sprintf("steadis: there is no master '%s' here; choose one of %s", master, names)
	}
	return master, http.StatusOK, ""
}
