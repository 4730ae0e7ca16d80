package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"steadis/cmd/internal/drill"
	"steadis/test/topology"
)

const (
	drillPassword    = "hunter2-of-the-nodes"
	drillSentinelPwd = "hunter2-of-the-sentinels"
)

func TestDrillRefusesNonsense(t *testing.T) {
	deployment := []string{"STEADIS_SENTINEL=127.0.0.1:1", "STEADIS_MASTER=m"}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"drill":                    "--addr \"\": want the proxy's host:port",
		"drill --addr 127.0.0.1:1": "give --yes if you mean it, since there is no terminal to ask on",
		"drill --addr 127.0.0.1:1 --kind quake --rounds 0":          "--rounds 0: want 1 to 1000",
		"drill --addr 127.0.0.1:1 --yes --password-file /nowhere":   "--password-file",
		"drill --addr 127.0.0.1:1 --yes --out " + file + "/below":   "the reports' directory",
		"drill --addr 127.0.0.1:1 --yes --kind crash --freez-for 1": "did you mean '--freeze-for'?",
	} {
		code, _, stderr := steadis(t.Context(), deployment, strings.Fields(args)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %q", args, code, stderr)
		}
	}
	if code, _, stderr := steadis(t.Context(), nil, "drill", "--addr", "127.0.0.1:1", "--yes"); code != exitUsage || !strings.Contains(stderr, "sentinel is not set") {
		t.Errorf("no deployment: code %d, %q", code, stderr)
	}
}

func TestDrillHelpShowsOnlyWhatMatters(t *testing.T) {
	code, help, _ := steadis(t.Context(), nil, "drill", "--help")
	if code != exitClean || !strings.Contains(help, "--sentinel-auth-password-file") || !strings.Contains(help, "--address-map") {
		t.Errorf("code %d\n%s", code, help)
	}
	for _, alien := range []string{"--hold", "--listen", "--limits-clients", "--sentinel-poll", "--in-doubt"} {
		if strings.Contains(help, alien+" ") {
			t.Errorf("the help has %s", alien)
		}
	}
}

func TestAnswers(t *testing.T) {
	for answer, want := range map[string]error{"yes\n": nil, " YES \n": nil, "yes": nil, "y\n": errNotConfirmed, "\n": errNotConfirmed, "": errNotConfirmed, "yes please\n": errNotConfirmed} {
		err := judgeAnswer(answer, nil)
		if !errors.Is(err, want) {
			t.Errorf("%q: %v", answer, err)
		}
	}
	if err := judgeAnswer("", io.EOF); !errors.Is(err, errNotConfirmed) {
		t.Errorf("end of input: %v", err)
	}
	if err := judgeAnswer("yes", syscall.EIO); !errors.Is(err, syscall.EIO) {
		t.Errorf("a broken terminal: %v", err)
	}
}

// The question ends with its context, and a pipe is as good as a terminal to wait on.
func TestAskEndsWithItsContext(t *testing.T) {
	in, typed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer typed.Close()
	asker := terminalConfirmer{in}
	if asker.possible() {
		t.Error("a pipe is taken for a terminal")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := asker.ask(ctx, io.Discard, "?"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := typed.WriteString("yes\n"); err != nil {
		t.Fatal(err)
	}
	if err := asker.ask(t.Context(), io.Discard, "?"); err != nil {
		t.Errorf("got %v", err)
	}
}

// drilled is a deployment with passwords everywhere, and a steadis before it.
type drilled struct {
	*topology.Deployment
	proxy   *topology.Steadis
	environ []string
}

func startDrilled(t *testing.T, o topology.Options, inDoubt string) *drilled {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o.Dir, o.Password, o.SentinelPassword = t.TempDir(), drillPassword, drillSentinelPwd
	deployment, err := topology.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := deployment.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &drilled{Deployment: deployment, environ: []string{
		"STEADIS_SENTINEL=" + deployment.SentinelAddrs(), "STEADIS_MASTER=" + deployment.Name(),
		"STEADIS_SENTINEL_AUTH_PASSWORD=" + drillSentinelPwd, passwordVariable + "=" + drillPassword,
	}}
	serving := append([]string{"STEADIS_UPSTREAM_PASSWORD=" + drillPassword}, d.environ...)
	d.proxy, err = topology.RunSteadis(ctx, topology.SteadisOptions{
		Dir:  t.TempDir(),
		Args: []string{"--in-doubt", inDoubt},
		Run: func(ctx context.Context, args []string) error {
			if code := Main(ctx, args, serving, io.Discard, io.Discard); code != exitClean {
				return fmt.Errorf("steadis ended with code %d", code)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.proxy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// drill runs `steadis drill` and gives its exit code, its report and all that it said.
func (d *drilled) drill(t *testing.T, args ...string) (code int, report drill.Report, said string) {
	t.Helper()
	out := t.TempDir()
	args = append([]string{"drill", "--addr", d.proxy.Addr, "--admin", d.proxy.AdminAddr, "--yes", "--out", out, "--lead", "1s", "--trail", "1s", "--rate", "500"}, args...)
	code, stdout, stderr := steadis(t.Context(), d.environ, args...)
	said = stdout + stderr
	for _, name := range []string{drill.JSONFile, drill.PageFile} {
		text, err := os.ReadFile(filepath.Join(out, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if name == drill.JSONFile {
			if err := json.Unmarshal(text, &report); err != nil {
				t.Fatal(err)
			}
		}
		said += string(text)
	}
	if strings.Contains(said, "hunter2") {
		t.Error("a password is shown")
	}
	return code, report, said
}

// mend brings back what a drill took away, faster than Sentinel would by itself.
func (d *drilled) mend(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := errors.Join(d.Mend(ctx), d.Demote(ctx), d.AwaitSettled(ctx)); err != nil {
		t.Fatal(err)
	}
}

// noKeys says whether the drill has left nothing behind.
func (d *drilled) noKeys(t *testing.T) {
	t.Helper()
	master, err := d.Master(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := master.Do(t.Context(), "DBSIZE"); err != nil || n != int64(0) {
		t.Errorf("%v keys are left (%v)", n, err)
	}
}

func checkRound(t *testing.T, r drill.Round, said string) {
	t.Helper()
	f := r.Figures
	if r.Problem != "" || r.NewMaster == "" || r.NewMaster == r.OldMaster || r.SwitchedMS == nil || r.BackMS == nil || f.Acknowledged < 500 || f.Reads < 50 || f.Pings < 20 {
		t.Errorf("the round: %q, %s to %s, %+v\n%s", r.Problem, r.OldMaster, r.NewMaster, f, said)
	}
	if f.Duplicated+f.Reordered+f.Foreign+f.RefusedPresent+f.Dropped+f.ErrorReplies+f.FailedPings > 0 {
		t.Errorf("flaws: %+v", f)
	}
	names, by := map[string]bool{}, map[string]bool{}
	for _, e := range r.Events {
		names[e.Name], by[e.Sentinel] = true, true
	}
	if !names["+try-failover"] || !names["+switch-master"] || len(by) != 3 {
		t.Errorf("events %v of %v", names, by)
	}
	phases := map[string]bool{}
	for _, p := range r.Phases {
		phases[p.Phase] = true
	}
	if !phases["serving"] || !phases["holding"] || r.Steadis == nil || r.Steadis.Held == 0 {
		t.Errorf("phases %v, held %+v", phases, r.Steadis)
	}
	if !strings.Contains(said, "+switch-master") || !strings.Contains(said, "writes/s") || !strings.Contains(said, "PASSED") {
		t.Errorf("what was shown:\n%s", said)
	}
}

func TestDrillFailover(t *testing.T) {
	d := startDrilled(t, topology.Options{}, "close")
	code, report, said := d.drill(t, "--kind", "failover", "--settle", "40s", "--value-size", "100")
	if code != exitClean || !report.Passed || len(report.Rounds) != 1 {
		t.Fatalf("code %d\n%s", code, said)
	}
	checkRound(t, report.Rounds[0], said)
	if f := report.Total; f.Lost+f.InDoubt > 0 {
		t.Errorf("%+v", f)
	}
	if r := report.Rounds[0]; !r.Whole || r.WholeAfterMS < 1000 {
		t.Errorf("whole: %v after %v ms, %v", r.Whole, r.WholeAfterMS, r.Missing)
	}
	d.noKeys(t)

	// The other two kinds need DEBUG, which this Redis refuses; crash has another way.
	if _, err := d.Nodes[0].Do(t.Context(), "DEBUG", "SLEEP", "0"); err == nil {
		t.Skip("this Redis lets DEBUG through by itself")
	}
	code, _, said = d.drill(t, "--kind", "freeze")
	if code != exitFailure || !strings.Contains(said, "enable-debug-command yes") || !strings.Contains(said, "nothing was touched") {
		t.Errorf("freeze without DEBUG: code %d\n%s", code, said)
	}
	code, report, said = d.drill(t, "--kind", "crash", "--settle", "0s")
	if report.Plan.Method != "SHUTDOWN NOSAVE" || len(report.Rounds) != 1 || report.Rounds[0].NewMaster == "" || code != exitFailure && !report.Passed {
		t.Errorf("crash without DEBUG: code %d\n%s", code, said)
	}
	d.noKeys(t)
}

func TestDrillCrashAndFreeze(t *testing.T) {
	d := startDrilled(t, topology.Options{Debug: true}, "error")
	code, report, said := d.drill(t, "--kind", "freeze", "--freeze-for", "4s", "--settle", "0s")
	if code != exitClean || !report.Passed || len(report.Rounds) != 1 {
		t.Fatalf("freeze: code %d\n%s", code, said)
	}
	checkRound(t, report.Rounds[0], said)
	if r := report.Rounds[0]; r.ThawedMS == nil || *r.ThawedMS < 3900 || r.EndMS < *r.ThawedMS+900 || r.Figures.Lost > 0 {
		t.Errorf("thawed %v, ended %v, lost %d: the load must go on after the old master has woken", r.ThawedMS, r.EndMS, r.Figures.Lost)
	}
	d.mend(t)
	d.noKeys(t)

	code, report, said = d.drill(t, "--kind", "crash", "--settle", "1s")
	if report.Plan.Method != "DEBUG SEGFAULT" || len(report.Rounds) != 1 {
		t.Fatalf("crash: code %d\n%s", code, said)
	}
	r := report.Rounds[0]
	checkRound(t, r, strings.Replace(said, "NOT PASSED", "PASSED", 1))
	// Redis replicates after it answers, so a crash may lose what was just acknowledged.
	if want := map[bool]int{true: exitClean, false: exitFailure}[r.Figures.Lost+r.Figures.StaleReads == 0]; code != want {
		t.Errorf("code %d with %d lost\n%s", code, r.Figures.Lost, said)
	}
	if r.Whole || !strings.Contains(strings.Join(r.Missing, ";"), "the old master "+r.OldMaster) || !strings.Contains(said, "not whole again") {
		t.Errorf("nobody restarts the old master: whole %v, %v", r.Whole, r.Missing)
	}
	d.noKeys(t)
}

// A drill that is interrupted has deleted its keys and written what it measured.
func TestDrillInterrupted(t *testing.T) {
	d := startDrilled(t, topology.Options{}, "error")
	binary := filepath.Join(t.TempDir(), "steadis")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out := t.TempDir()
	var said output
	cmd := exec.CommandContext(t.Context(), binary, "drill", "--addr", d.proxy.Addr, "--yes", "--out", out, "--lead", "1m")
	cmd.Env, cmd.Stdout, cmd.Stderr = d.environ, &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); strings.Count(said.String(), "writes/s  waiting") < 2 && time.Now().Before(deadline); {
		<-time.After(20 * time.Millisecond) // polls; nothing depends on how long it is
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code is what is looked at
	if code := cmd.ProcessState.ExitCode(); code != exitSigInt {
		t.Errorf("code %d\n%s", code, said.String())
	}
	text, err := os.ReadFile(filepath.Join(out, drill.JSONFile))
	if err != nil {
		t.Fatal(err)
	}
	var report drill.Report
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	if !report.Interrupted || report.Passed || report.Total.Acknowledged < 500 || report.Total.Lost > 0 || len(report.Rounds) != 1 || report.Rounds[0].TriggeredAt != nil {
		t.Errorf("interrupted %v, passed %v, %+v", report.Interrupted, report.Passed, report.Total)
	}
	if page, err := os.ReadFile(filepath.Join(out, drill.PageFile)); err != nil || !strings.Contains(string(page), "<svg") {
		t.Errorf("report.html: %v", err)
	}
	if !strings.Contains(said.String(), "it was interrupted in round 1 of 1") {
		t.Errorf("it does not say so:\n%s", said.String())
	}
	d.noKeys(t)
}

// Without a proxy that holds, the drill must see what is lost: the clients stay with
// the old master, which goes on acknowledging.
func TestDrillSeesWhatIsLost(t *testing.T) {
	d := startDrilled(t, topology.Options{}, "error")
	code, report, said := d.drill(t, "--kind", "failover", "--settle", "0s", "--addr", d.Nodes[0].Addr())
	if code != exitFailure || report.Passed || report.Total.Lost < 100 || !strings.Contains(report.Verdict, "acknowledged writes were lost") {
		t.Errorf("code %d, passed %v, %d lost\n%s", code, report.Passed, report.Total.Lost, said)
	}
}
