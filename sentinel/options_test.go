package sentinel

import (
	"context"
	"errors"
	"strings"
	"testing"

	"steadis/sentinel/topology"
)

func TestOptionsFaultsAreAllReported(t *testing.T) {
	_, err := New(Options{Addresses: []string{"a", "b:0", "c:99999", "::1:5"}, Master: "my master", Poll: -1}, topology.NewBoard())
	for _, part := range []string{`"a"`, `"b:0"`, `"c:99999"`, `"::1:5"`, `"my master"`, "negative"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s is not in: %v", part, err)
		}
	}
	w, err := New(Options{Addresses: []string{"a:1", "a:1", " [::1]:2 "}, Master: "m"}, topology.NewBoard())
	if err != nil || len(w.opts().Addresses) != 2 {
		t.Error(err, w.opts().Addresses)
	}
	if _, err := New(Options{Addresses: []string{"a:1"}, Master: "m"}, nil); err == nil {
		t.Error("no board, no error")
	}
}

func TestRunOnce(t *testing.T) {
	w, err := New(Options{Addresses: []string{"127.0.0.1:1"}, Master: "m"}, topology.NewBoard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Error(err)
	}
	if err := w.Run(ctx); !errors.Is(err, ErrRunning) {
		t.Error(err)
	}
}
