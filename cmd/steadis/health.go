package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout is less than the 5 s and more after which those who call such
// checks give up by themselves, so that the reason is still printed.
const healthTimeout = 3 * time.Second

func newHealthCommand(e *env) *cobra.Command {
	var live bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running steadis whether it is ready",
		Long: "Asks the admin server of a steadis on this machine whether clients are served (/readyz), or with\n" +
			"--live whether the process is alive (/livez). Ends with 0 if so, with 1 if not. Takes the same\n" +
			"flags, variables and file as serve; only admin matters. For HEALTHCHECK in a container.",
	}
	addConfigFlags(cmd)
	cmd.Flags().BoolVar(&live, "live", false, "Ask only whether the process is alive")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		loaded, err := e.loadConfig(cmd, false)
		if err != nil {
			return err
		}
		if loaded.Admin == "" {
			return &exitError{code: exitUsage, err: errors.New("admin is empty, so there is no admin server to ask; set it, as for serve")}
		}
		path := "/readyz"
		if live {
			path = "/livez"
		}
		ok, answer, err := askAdmin(cmd.Context(), loaded.Admin, path)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(e.stdout, answer); err != nil {
			return err
		}
		if !ok {
			return errFailed
		}
		return nil
	})
	return cmd
}

// askAdmin asks the admin server that listens on address, whose host may be
// empty or every interface, and gives whether it says yes and what it says. The error is
// about not getting an answer within 3 s.
func askAdmin(ctx context.Context, address, path string) (ok bool, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	status, body, err := callAdmin(ctx, http.MethodGet, address, path, "")
	return status == http.StatusOK, strings.TrimSpace(string(body)), err
}

// postAdmin asks the admin server that listens on address to do something. The error is
// about not getting an answer.
func postAdmin(ctx context.Context, address, path, token string) (status int, body []byte, err error) {
	return callAdmin(ctx, http.MethodPost, address, path, token)
}

func callAdmin(ctx context.Context, method, address, path, token string) (status int, body []byte, err error) {
	transport := &http.Transport{
		// The address is dialled as it stands: as part of a URL, :9380 would have no host.
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		},
		DisableKeepAlives: true,
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://steadis"+path, nil)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, nil, fmt.Errorf("the admin server on %s does not answer; is steadis running there? %w", address, err)
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	body, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return 0, nil, fmt.Errorf("the admin server on %s broke off its answer: %w", address, err)
	}
	return response.StatusCode, body, nil
}
