package topology_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"steadis/test/topology"
)

// standIn behaves like `steadis serve` as far as RunSteadis looks.
func standIn(ctx context.Context, args []string) error {
	admin := ""
	for i, a := range args {
		if a == "--admin" {
			admin = args[i+1]
		}
	}
	mux := http.NewServeMux()
	var asked atomic.Int32
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			http.Error(w, "no Sentinel has answered yet", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# HELP x y\ngo_goroutines 12\nsteadis_hold_refused_total{reason=\"a b\"} 2\n"+
			"steadis_hold_refused_total{reason=\"full\"} 3e1\n")
	})
	l, err := net.Listen("tcp", admin)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func TestRunSteadisInProcess(t *testing.T) {
	ctx := within(t, 10*time.Second)
	s, err := topology.RunSteadis(ctx, topology.SteadisOptions{Run: standIn, Dir: t.TempDir()})
	must(t, err)
	usage, err := s.Usage(ctx)
	must(t, err)
	if usage.Goroutines != 12 || usage.RSS < 1<<20 || usage.FDs < 3 {
		t.Errorf("usage: %v", usage)
	}
	samples, err := s.Metrics(ctx)
	must(t, err)
	if sum := topology.Sum(samples, "steadis_hold_refused_total"); sum != 32 {
		t.Errorf("sum over labels is %v, want 32: %v", sum, samples)
	}
	must(t, s.Stop())
	must(t, s.Stop())
	if s.Alive() {
		t.Error("alive after Stop")
	}
}

// A steadis that ends at once is reported at once, with its last words.
func TestRunSteadisSaysWhyItEnded(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "broken")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\necho 'bad flag --nonsense'\nexit 2\n"), 0o700))
	began := time.Now()
	_, err := topology.RunSteadis(within(t, 30*time.Second), topology.SteadisOptions{Binary: script, Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "bad flag --nonsense") || !strings.Contains(err.Error(), "code 2") {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to notice", took)
	}
}
