// Package admin is steadis' HTTP server for operators and their machines: is it
// alive, is it ready, what does it count, what does it know.
//
// It gets functions that answer these questions and knows nothing of proxies or
// Sentinels. Every path but those of actions only reads, and has no password.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

const (
	// headerTimeout and readTimeout cut off peers that send their request drop by
	// drop; requests here have no body.
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	// writeTimeout is for a scrape over a slow line.
	writeTimeout = 30 * time.Second
	idleTimeout  = 2 * time.Minute
	// maxHeader bounds the memory of a request.
	maxHeader = 16 << 10
	// stopTimeout is what requests under way get at a shutdown. It is short: an
	// answer costs no more than memory can give.
	stopTimeout = 2 * time.Second
)

// Options says where the answers come from. Its functions are called
// concurrently, once for each request, and, but for actions, should not block.
type Options struct {
	// Masters are the names of those that can be asked about, with ?master=. Where there are
	// several, what is about one of them must name it. Empty: names are not looked at.
	Masters []string
	// Ready says whether clients should be sent here, and in a few words why or
	// why not ("serving", "holding: ...", "no master since ...").
	Ready func() (bool, string)
	// Live gives an error if the process should be restarted. Nil: never.
	Live func() error
	// Status gives what /api/status shows, of a master or, for "", of all; encoding/json
	// must take it.
	Status func(master string) any
	// History gives what /api/history shows of a master: what went through, second by
	// second, after a time in ms since 1970. "" is the only one. Nil: there is no such page.
	History func(master string, after int64) any
	// Actions and MasterActions are what can be asked for, by name, by those who show the
	// Token. Without a Token, that is nil or "", nobody can.
	Actions       map[string]Action
	MasterActions map[string]MasterAction
	Token         func() string
	// Profile serves /debug/pprof: profiles of the process, which show how busy it is with
	// what, and take some of its time.
	Profile bool
	// Gatherer gives the metrics.
	Gatherer prometheus.Gatherer
	// Log gets one line for each thing that goes wrong in the server itself.
	Log *zap.Logger
}

// Server is the admin HTTP server. Its methods may be called concurrently.
type Server struct {
	options Options
	handler http.Handler
}

// New makes a server. An error says which option is missing.
func New(options Options) (*Server, error) {
	if options.Ready == nil || options.Status == nil || options.Gatherer == nil || options.Log == nil {
		return nil, errors.New("admin: Options needs Ready, Status, Gatherer and Log")
	}
	s := &Server{options: options}
	errorLog := zap.NewStdLog(options.Log)
	mux := http.NewServeMux()
	// Without a trailing {$}, GET / would answer for every path that nobody knows.
	mux.HandleFunc("GET /{$}", servePage("index.html"))
	for _, name := range pageFiles {
		mux.HandleFunc("GET /page/"+name, servePage(name))
	}
	mux.HandleFunc("GET /livez", s.serveLive)
	mux.HandleFunc("GET /readyz", s.serveReady)
	mux.HandleFunc("GET /api/status", s.serveStatus)
	if options.History != nil {
		mux.HandleFunc("GET /api/history", s.serveHistory)
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(options.Gatherer, promhttp.HandlerOpts{
		ErrorLog: errorLog,
		// A collector that fails must not hide the others' figures in an outage.
		ErrorHandling: promhttp.ContinueOnError,
	}))
	if options.Profile {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", serveCommandLine)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	for name, do := range options.Actions {
		mux.HandleFunc("POST /api/"+name, s.serveAction(name, do))
	}
	for name, do := range options.MasterActions {
		mux.HandleFunc("POST /api/"+name, s.serveMasterAction(name, do))
	}
	s.handler = withHeaders(mux)
	return s, nil
}

// ServeHTTP answers one request. It makes Server an http.Handler for tests and
// for servers of others.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Serve answers requests that arrive at listener until ctx ends, then closes the
// listener and gives requests under way 2 s. When it returns, nothing of it is left
// running. The error is nil after an end by ctx, and otherwise why accepting failed.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          zap.NewStdLog(s.options.Log),
	}
	served := make(chan error, 1)
	go serveHTTP(server, listener, served)
	select {
	case err := <-served:
		_ = server.Close() // connections only; the listener's own fault is what is reported
		return fmt.Errorf("admin server on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		_ = server.Close() // whoever has not finished by now is cut off
	}
	<-served
	return nil
}

// serveHTTP is the accepting goroutine of Serve, which waits for it.
func serveHTTP(server *http.Server, listener net.Listener, served chan<- error) {
	served <- server.Serve(listener)
}

// withHeaders marks every answer as one of this moment, and as nothing that a
// browser may guess a type for or load foreign parts into.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", contentPolicy)
		header.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// serveLive answers "should this process be restarted?".
func (s *Server) serveLive(w http.ResponseWriter, _ *http.Request) {
	if s.options.Live != nil {
		if err := s.options.Live(); err != nil {
			text(w, http.StatusServiceUnavailable, err.Error())
			return
		}
	}
	text(w, http.StatusOK, "alive")
}

// serveReady answers "should clients be sent here?".
func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	ready, why := s.options.Ready()
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	text(w, status, why)
}

// serveStatus answers "what does steadis know?", of all masters or of the one that ?master=
// names.
func (s *Server) serveStatus(w http.ResponseWriter, r *http.Request) {
	master, status, problem := s.chosen(r)
	if problem != "" && status != http.StatusBadRequest { // to name none is fine
		text(w, status, problem)
		return
	}
	data, err := json.MarshalIndent(s.options.Status(master), "", "  ")
	if err != nil {
		s.options.Log.Error("the status cannot be written as JSON", zap.Error(err))
		text(w, http.StatusInternalServerError, "steadis: the status cannot be written as JSON: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	send(w, http.StatusOK, append(data, '\n'))
}

// serveCommandLine answers pprof's question for the command line with the program alone: flags
// may hold passwords.
func serveCommandLine(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, os.Args[0]) }

func text(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	send(w, status, []byte(line+"\n"))
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.WriteHeader(status)
	_, _ = w.Write(body) // the one who asked has gone: nobody is left to tell
}
