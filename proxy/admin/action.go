package admin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"

	"go.uber.org/zap"
)

// Action is something that can be asked for at POST /api/<its name>. It returns what
// encoding/json takes, or why it has not happened; the error is shown. It is called
// concurrently and ends with its context.
type Action func(context.Context) (any, error)

// MasterAction is an Action on a master, which Options.Masters names; "" is the only one.
type MasterAction func(ctx context.Context, master string) (any, error)

// ActionReply is the body of an answer to an action.
type ActionReply struct {
	// Error is why it has not happened; empty if it has.
	Error string `json:"error,omitempty"`
	// Result is what the action tells.
	Result any `json:"result,omitempty"`
}

// serveMasterAction is serveAction for the master that ?master= names: 400 if it must, 404 if
// there is none of that name.
func (s *Server) serveMasterAction(name string, do MasterAction) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		master, status, problem := s.chosen(r)
		if problem != "" {
			s.reply(w, status, ActionReply{Error: problem})
			return
		}
		s.serveAction(name, func(ctx context.Context) (any, error) { return do(ctx, master) })(w, r)
	}
}

// serveAction runs an action for those who show the token: 200 it has happened, 409 it has
// not, 401 wrong token, 403 nobody may.
func (s *Server) serveAction(name string, do Action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		wanted := ""
		if s.options.Token != nil {
			wanted = s.options.Token()
		}
		token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case wanted == "":
			s.reply(w, http.StatusForbidden, ActionReply{Error: "steadis: nothing can be changed here; set admin_token or admin_token_file to allow it"})
			return
		case !bearer || subtle.ConstantTimeCompare([]byte(token), []byte(wanted)) != 1:
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.reply(w, http.StatusUnauthorized, ActionReply{Error: "steadis: this needs the admin token (Authorization: Bearer ...)"})
			return
		}
		s.options.Log.Info("asked over the admin server", zap.String("action", name), zap.String("from", r.RemoteAddr))
		result, err := do(r.Context())
		if err != nil {
			s.reply(w, http.StatusConflict, ActionReply{Error: err.Error()})
			return
		}
		s.reply(w, http.StatusOK, ActionReply{Result: result})
	}
}

func (s *Server) reply(w http.ResponseWriter, status int, body ActionReply) {
	data, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		s.options.Log.Error("an answer cannot be written as JSON", zap.Error(err))
		text(w, http.StatusInternalServerError, "steadis: the answer cannot be written as JSON: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	send(w, status, append(data, '\n'))
}
