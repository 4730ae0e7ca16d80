package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"steadis/config"
	"steadis/sentinel"
	"steadis/sentinel/discovery"
)

// checkReport is what check finds, and prints with --json.
type checkReport struct {
	// OK: serve would work.
	OK bool `json:"ok"`
	sight
	// Masters has what was found of each, where there are several; then sight is empty.
	Masters []sight `json:"masters,omitempty"`
	// Here is what was looked at on this machine.
	Here     []finding `json:"here"`
	Warnings []string  `json:"warnings,omitempty"`
}

// sight is what was found of a master.
type sight struct {
	// Name is the master's, where there are several.
	Name string `json:"name,omitempty"`
	// Sentinel is about the Sentinels; with discovery dns and static Discovery is about
	// the name and the nodes instead.
	Sentinel  sentinel.Report   `json:"sentinel,omitzero"`
	Discovery *discovery.Report `json:"discovery,omitempty"`
	// Problem is what is wrong with the Sentinels, the name or the master, and what to do.
	Problem string `json:"problem,omitempty"`
}

// finding is one thing that serve needs on this machine.
type finding struct {
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

func newCheckCommand(e *env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether serve would work with the same flags, and why not",
		Long: "Validates the configuration, asks every Sentinel (or the name, or the nodes) and the master, looks whether this machine has\n" +
			"the addresses and file descriptors that serve needs, and prints what it finds. Ends with 0 only if\n" +
			"serve would work. Changes nothing.",
	}
	addConfigFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		loaded, err := e.loadConfig(cmd, true)
		if err != nil {
			return err
		}
		report := check(cmd.Context(), loaded)
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		text := []byte(report.text())
		if asJSON {
			if text, err = json.MarshalIndent(report, "", "  "); err != nil {
				return err
			}
			text = append(text, '\n')
		}
		if _, err := e.stdout.Write(text); err != nil {
			return err
		}
		if !report.OK {
			return errFailed
		}
		return nil
	})
	return cmd
}

// check looks at everything that serve needs.
func check(ctx context.Context, c *config.Loaded) checkReport {
	report := checkReport{Warnings: c.Warnings(), OK: true}
	for _, own := range c.PerMaster() {
		s := lookAt(ctx, own)
		if c.Several() {
			s.Name = own.Master
			report.Masters = append(report.Masters, s)
		} else {
			report.sight = s
		}
		report.OK = report.OK && s.Problem == ""
	}
	for _, entry := range c.Listeners() {
		report.Here = append(report.Here, checkListen(ctx, "listen", entry, c.Admin))
	}
	if c.Admin != "" {
		report.Here = append(report.Here, checkListen(ctx, "admin", c.Admin, c.Admin))
	}
	report.Here = append(report.Here, checkDescriptors(demandOf(&c.Config)))
	for _, f := range report.Here {
		report.OK = report.OK && f.OK
	}
	return report
}

// lookAt looks for the one master of c as serve would.
func lookAt(ctx context.Context, c *config.Config) sight {
	var s sight
	if err := s.look(ctx, c); err != nil {
		s.Problem = err.Error()
	}
	return s
}

func (s *sight) look(ctx context.Context, c *config.Config) error {
	tls, err := newLegs(c, zap.NewNop(), nil)
	if err != nil {
		return err // the files were good a moment ago
	}
	if c.Discovery == config.DiscoverySentinel {
		s.Sentinel = sentinel.Check(ctx, watcherOptions(c, tls, zap.NewNop(), nil))
		return s.Sentinel.Err()
	}
	found := discovery.Check(ctx, discoveryOptions(c, tls, zap.NewNop(), nil))
	s.Discovery = &found
	return found.Err()
}

// checkListen says whether serve could listen on entry, by doing it for a moment. An
// address that a running steadis has is fine: check is run next to serve too.
func checkListen(ctx context.Context, what, entry, admin string) finding {
	f := finding{What: what + " " + entry}
	listener, err := openListener(ctx, entry, 0)
	switch {
	case err == nil:
		_ = listener.Close() // nothing was accepted on it
		f.OK, f.Detail = true, "free"
	case (errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, errSocketInUse)) && steadisRuns(ctx, admin):
		f.OK, f.Detail = true, "in use; a steadis runs here already (its admin server answers on "+admin+")"
	default:
		f.Detail = err.Error()
	}
	return f
}

// steadisRuns says whether a steadis answers on the admin address.
func steadisRuns(ctx context.Context, admin string) bool {
	if admin == "" {
		return false
	}
	alive, _, err := askAdmin(ctx, admin, "/livez")
	return err == nil && alive
}

func checkDescriptors(d demand) finding {
	f := finding{What: "file descriptors"}
	limit, err := descriptorLimit()
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	if f.OK, f.Detail = judgeDescriptors(limit, d); f.Detail == "" {
		f.Detail = fmt.Sprintf("%d, enough for %d clients", limit, d.clients*d.crowds)
	}
	return f
}
