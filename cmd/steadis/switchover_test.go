package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"steadis/config"
	"steadis/sentinel"
)

// TestAskSwitchover: what the command prints is what the control plane tells, under the
// same names; and what goes wrong is said.
func TestAskSwitchover(t *testing.T) {
	want := sentinel.Switchover{From: "a:1", To: "b:1", Epoch: 7, HeldMS: 300, DrainMS: 2, CatchUpMS: 100, Offset: 5, Replicas: []string{"b:1"}}
	for _, tt := range []struct {
		name, token string
		answer      any
		err         string
	}{
		{"done", "x", map[string]any{"result": want}, ""},
		{"given up", "x", map[string]any{"error": "the switchover was given up"}, "the switchover was given up"},
		{"not steadis", "x", "hello", `the admin server on`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked *http.Request
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r
				_ = json.NewEncoder(w).Encode(tt.answer)
			}))
			defer server.Close()
			c := &config.Config{Admin: server.Listener.(*net.TCPListener).Addr().String(), AdminToken: config.NewSecret(tt.token)}
			done, _, err := askAction[switched](context.Background(), c, "/api/switchover", switchoverMost+healthTimeout)
			switch {
			case tt.err == "" && err != nil, tt.err != "" && (err == nil || err.Error()[:len(tt.err)] != tt.err):
				t.Errorf("error %v, want %q", err, tt.err)
			case tt.err == "" && (done != switched{From: want.From, To: want.To, Epoch: want.Epoch, HeldMS: want.HeldMS, DrainMS: want.DrainMS, CatchUpMS: want.CatchUpMS}):
				t.Errorf("%+v", done)
			}
			if asked.Method != http.MethodPost || asked.URL.Path != "/api/switchover" || asked.Header.Get("Authorization") != "Bearer x" {
				t.Errorf("asked %s %s, %q", asked.Method, asked.URL, asked.Header.Get("Authorization"))
			}
		})
	}
}
