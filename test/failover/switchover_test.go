package failover

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"steadis/sentinel"
	"steadis/test/topology"
	"steadis/test/workload"
)

const adminToken = "a token for the tests"

// postSwitchover asks for a switchover as curl would.
func postSwitchover(ctx context.Context, s *topology.Steadis, token string) (int, sentinel.Switchover, string, error) {
	var body struct {
		Error  string
		Result sentinel.Switchover
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.AdminAddr+"/api/switchover", nil)
	if err != nil {
		return 0, body.Result, "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, body.Result, "", err
	}
	defer response.Body.Close()
	err = json.NewDecoder(response.Body).Decode(&body)
	return response.StatusCode, body.Result, body.Error, err
}

// keepBusy stops a replica for d with a script that only reads: it stays linked, and
// falls behind.
func keepBusy(ctx context.Context, n *topology.Node, d time.Duration) error {
	_, err := n.Do(ctx, "EVAL", "local function now() local t=redis.call('TIME') return t[1]*1000000+t[2] end "+
		"local from=now() while now()-from < tonumber(ARGV[1]) do end return 1", "0", fmt.Sprint(d.Microseconds()))
	return err
}

// TestSwitchover: a switchover loses nothing and shows nothing, however far a replica is
// behind when it is asked for.
func TestSwitchover(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	d := startDeployment(t, topology.Options{})
	s := startSteadis(t, d.SentinelAddrs(), "--admin-token", adminToken, "--in-doubt", "error")
	ctx := within(t, time.Minute+time.Duration(rounds(t))*30*time.Second)
	var acknowledged int64
	var longest, caughtUp time.Duration
	for round := range rounds(t) {
		must(t, d.AwaitSettled(ctx))
		old, err := d.Master(ctx)
		must(t, err)
		load, err := workload.Start(ctx, workload.Options{Addr: s.Addr, Depth: 50, KeyPrefix: fmt.Sprintf("switchover:%d:", round)})
		must(t, err)
		awaitProgress(ctx, t, load, 1000)
		busy := make(chan error, 2)
		for _, n := range d.Nodes {
			if n != old {
				go func() { busy <- keepBusy(ctx, n, time.Second) }()
			}
		}
		awaitProgress(ctx, t, load, 1000) // which the replicas do not have
		status, done, refusal, err := postSwitchover(ctx, s, adminToken)
		must(t, err)
		if status != http.StatusOK || done.From != old.Addr() || done.To == old.Addr() || done.HeldMS < done.CatchUpMS {
			t.Fatalf("round %d: %d %+v %s", round, status, done, refusal)
		}
		for range 2 {
			must(t, <-busy)
		}
		awaitProgress(ctx, t, load, 1000)
		record := load.Stop(10 * time.Second)
		// The former master is none of the replicas yet: Sentinel would choose it all the same.
		if status, again, refusal, err := postSwitchover(ctx, s, adminToken); err != nil || status != http.StatusConflict ||
			!strings.Contains(refusal, "a former master, is not a replica yet") {
			t.Errorf("round %d, at once again: %d %+v %q %v", round, status, again, refusal, err)
		}
		must(t, d.Demote(ctx))
		must(t, d.AwaitSettled(ctx))
		audit, err := record.Audit(ctx, workload.Source{Addr: s.Addr})
		must(t, err)
		if !audit.Flawless() || len(audit.Errors) > 0 {
			t.Errorf("round %d: %v", round, audit)
		}
		acknowledged += int64(audit.Acknowledged)
		longest = max(longest, audit.LongestWait)
		caughtUp = max(caughtUp, time.Duration(done.CatchUpMS)*time.Millisecond)
	}
	measured.record(t, "switchover with both replicas up to 1 s behind, 8 writers x 50 in flight", "0 lost, 0 doubled, 0 errors, 0 dropped",
		"%d rounds, %d acknowledged: 0 lost, 0 doubled, 0 errors, 0 dropped; waited for replicas at most %s; longest wait of a client %s",
		rounds(t), acknowledged, millis(caughtUp), millis(longest))
}

// TestSwitchoverRefused: what cannot be done is said, and nothing changes.
func TestSwitchoverRefused(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	d := startDeployment(t, topology.Options{Replicas: 1})
	s := startSteadis(t, d.SentinelAddrs(), "--admin-token", adminToken, "--hold", "3s")
	closed := startSteadis(t, d.SentinelAddrs())
	ctx := within(t, time.Minute)
	refused := func(s *topology.Steadis, token string, want int, why string) {
		t.Helper()
		status, _, refusal, err := postSwitchover(ctx, s, token)
		must(t, err)
		if status != want || !strings.Contains(refusal, why) {
			t.Errorf("%d %q, want %d and %q", status, refusal, want, why)
		}
	}
	refused(closed, adminToken, http.StatusForbidden, "set admin_token")
	refused(s, "", http.StatusUnauthorized, "needs the admin token")
	refused(s, "another", http.StatusUnauthorized, "needs the admin token")
	old, err := d.Master(ctx)
	must(t, err)
	load, err := workload.Start(ctx, workload.Options{Addr: s.Addr, Pause: time.Millisecond})
	must(t, err)
	awaitProgress(ctx, t, load, 100)
	for _, n := range d.Nodes {
		if n != old { // longer than the switchover may wait
			go func() { _ = keepBusy(ctx, n, 4*time.Second) }()
		}
	}
	refused(s, adminToken, http.StatusConflict, "the switchover was given up, and commands go on: the replica")
	awaitProgress(ctx, t, load, 100)
	if now, err := d.Master(ctx); err != nil || now != old {
		t.Errorf("the master has changed: %v", err)
	}
	record := load.Stop(10 * time.Second)
	audit, err := record.Audit(ctx, workload.Source{Addr: s.Addr})
	must(t, err)
	if !audit.Flawless() || len(audit.Errors) > 0 {
		t.Errorf("%v", audit)
	}
}
