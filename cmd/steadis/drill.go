package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"golang.org/x/term"

	"steadis/cmd/internal/drill"
	"steadis/config"
)

// passwordVariable is the variable that redis-cli takes a password from.
const passwordVariable = "REDISCLI_AUTH"

// drillCommand is one run of `steadis drill`.
type drillCommand struct {
	*env
	options      drill.Options
	kind         string
	passwordFile string
	addrTLS      config.DialTLS
	out          string
	yes          bool
	confirm      confirmer
}

func newDrillCommand(e *env) *cobra.Command {
	d := &drillCommand{env: e, confirm: terminalConfirmer{os.Stdin}}
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Take a running deployment's master away under load, and report what became of every write",
		Long: "drill writes through a proxy into lists of its own, takes the master away by SENTINEL FAILOVER, by\n" +
			"crashing it (DEBUG SEGFAULT, or SHUTDOWN NOSAVE where DEBUG is refused) or by freezing it (DEBUG SLEEP),\n" +
			"reads everything back from the new master, deletes it, and writes report.json and report.html.\n\n" +
			"It needs network access to the proxy, to every Sentinel and to every Redis node, and looks first whether\n" +
			"the deployment is fit. Where masters names several, --master chooses one. Exit code 0: nothing was lost, doubled or dropped, no error but INDOUBT was seen,\n" +
			"and every round saw a failover; 1 otherwise. Writes in doubt are counted and do not fail a drill.",
	}
	addConfigFlags(cmd)
	hideAllBut(cmd.Flags(), "sentinel", "master", "sentinel-auth", "sentinel-tls", "upstream-user", "upstream-password", "upstream-tls", "admin", "address-map", "config")
	reword(cmd.Flags())
	d.addFlags(cmd.Flags())
	completeFlag(cmd, "kind", string(drill.Failover), string(drill.Crash), string(drill.Freeze))
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error { return d.run(cmd) })
	return cmd
}

func (d *drillCommand) addFlags(flags *pflag.FlagSet) {
	o := &d.options
	flags.StringVar(&o.Addr, "addr", "", "The proxy to write through, host:port or tls://host:port")
	addTLSFlags(flags, &d.addrTLS)
	flags.StringVar(&d.kind, "kind", string(drill.Failover), "How the master goes: failover, crash or freeze")
	flags.IntVar(&o.Rounds, "rounds", 1, "Number of failovers, one after the other")
	flags.IntVar(&o.Clients, "clients", 8, "Writers, each on a connection of its own")
	flags.IntVar(&o.Readers, "readers", 2, "Readers, each with 100 reads a second")
	flags.IntVar(&o.Rate, "rate", 1000, "Writes a second, all writers together, whatever the replies take (open loop); 0: each as fast as it is answered (closed loop)")
	flags.IntVar(&o.ValueSize, "value-size", 0, "Bytes of each value (default: just its number)")
	flags.DurationVar(&o.Lead, "lead", 5*time.Second, "Load before the master goes")
	flags.DurationVar(&o.Trail, "trail", 5*time.Second, "Load after another master is announced, and after a frozen one has woken")
	flags.DurationVar(&o.Limit, "limit", time.Minute, "Longest wait for another master")
	flags.DurationVar(&o.Settle, "settle", time.Minute, "Longest wait after each round for the deployment to be whole again")
	flags.DurationVar(&o.FreezeFor, "freeze-for", 0, "How long a frozen master sleeps (default: down-after-milliseconds and 5s)")
	flags.StringVar(&o.Client.User, "user", "", "User of the writers and readers (default: upstream-user)")
	flags.StringVar(&d.passwordFile, "password-file", "", "File with their password; or the variable "+passwordVariable+" (default: the upstream password)")
	flags.StringVar(&d.out, "out", ".", "Directory for report.json and report.html")
	flags.BoolVar(&d.yes, "yes", false, "Do not ask before the master is taken away")
}

// hideAllBut hides from the help the flags that matter only to serve. They are
// taken all the same, as is a whole configuration file.
func hideAllBut(flags *pflag.FlagSet, prefixes ...string) {
	flags.VisitAll(func(f *pflag.Flag) {
		for _, p := range prefixes {
			if f.Name == p || strings.HasPrefix(f.Name, p+"-") && p != "sentinel" {
				return
			}
		}
		f.Hidden = true
	})
}

// reword says what flags of the configuration mean to a drill.
func reword(flags *pflag.FlagSet) {
	for name, says := range map[string]string{
		"admin":                  "Admin server of the steadis that is drilled, to show its phases (default: not asked)",
		"upstream-user":          "User for what is sent to the nodes directly: ROLE, DEBUG, SHUTDOWN, CONFIG GET (default: user)",
		"upstream-password":      "Its password; better in a file",
		"upstream-password-file": "File with its password (default: the password of the writers)",
	} {
		f := flags.Lookup(name)
		f.Usage, f.DefValue = says, ""
	}
}

// usage gives err the exit code of wrong usage.
func usage(err error) error { return &exitError{code: exitUsage, err: err} }

func (d *drillCommand) run(cmd *cobra.Command) error {
	loaded, err := d.loadChosen(cmd, true)
	if err != nil {
		return err
	}
	if err := d.complete(loaded); err != nil {
		return err
	}
	show := newDrillProgress(d.env)
	player, err := drill.New(d.options, show)
	if err != nil {
		return usage(err)
	}
	if !d.yes && !d.confirm.possible() {
		return usage(errors.New("drill takes the master of a running deployment away: give --yes if you mean it, since there is no terminal to ask on"))
	}
	if err := drill.Prepare(d.out); err != nil {
		return usage(err)
	}
	ctx := cmd.Context()
	plan, err := player.Check(ctx)
	if err != nil {
		return err
	}
	show.Line("%s", strings.TrimRight(plan.Text(), "\n"))
	if !d.yes {
		if err := d.confirm.ask(ctx, d.stderr, "Go on? Type yes: "); err != nil {
			return err
		}
	}
	report, played := player.Run(ctx)
	if err := d.hand(report, show); err != nil {
		return err
	}
	return d.outcome(ctx, report, played)
}

// complete takes from the configuration what is not the drill's own.
func (d *drillCommand) complete(loaded *config.Loaded) error {
	o := &d.options
	o.Kind, o.Version = drill.Kind(d.kind), ourVersion()
	tls, err := newLegs(&loaded.Config, zap.NewNop(), nil)
	if err != nil {
		return usage(err)
	}
	o.Sentinel = watcherOptions(&loaded.Config, tls, zap.NewNop(), nil)
	if err := secureAddr(o, d.addrTLS); err != nil {
		return usage(err)
	}
	if loaded.Origins["admin"] != "" { // the default is about this machine, and the proxy may be on another
		o.Admin = loaded.Admin
	}
	switch {
	case d.passwordFile != "":
		text, err := os.ReadFile(d.passwordFile)
		if err != nil {
			return usage(fmt.Errorf("--password-file: %w", err))
		}
		o.Client.Password = strings.TrimRight(string(text), "\r\n")
	default:
		o.Client.Password = d.variable(passwordVariable)
	}
	upstream := drill.Credentials{User: o.Sentinel.RoleUser, Password: o.Sentinel.RolePassword}
	if o.Client == (drill.Credentials{}) {
		o.Client = upstream
	}
	if upstream == (drill.Credentials{}) {
		o.Sentinel.RoleUser, o.Sentinel.RolePassword = o.Client.User, o.Client.Password
	}
	return nil
}

func (d *drillCommand) variable(name string) string {
	for _, v := range d.environ {
		if value, found := strings.CutPrefix(v, name+"="); found {
			return value
		}
	}
	return ""
}

// hand prints the summary and writes the files.
func (d *drillCommand) hand(report *drill.Report, show *drill.Progress) error {
	if _, err := fmt.Fprintf(d.stdout, "\n%s", report.Text()); err != nil {
		return err
	}
	paths, err := report.Write(d.out)
	if err != nil {
		return fmt.Errorf("the reports: %w", err)
	}
	show.Line("Written: %s", strings.Join(paths, ", "))
	return nil
}

// outcome gives the error, and so the exit code, that a drill ends with.
func (d *drillCommand) outcome(ctx context.Context, report *drill.Report, played error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // the signal decides
	case played != nil:
		return played
	case !report.Passed:
		return errFailed
	}
	return nil
}

// newDrillProgress shows progress on standard error, as what it is allows.
func newDrillProgress(e *env) *drill.Progress {
	show := drill.NewProgress(e.stderr)
	file, isFile := e.stderr.(*os.File)
	if isFile && term.IsTerminal(int(file.Fd())) {
		show.Live = true
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			show.Width = width
		}
		show.Colour = !hasVariable(e.environ, "NO_COLOR")
	}
	return show
}

func hasVariable(environ []string, name string) bool {
	for _, v := range environ {
		if strings.HasPrefix(v, name+"=") {
			return true
		}
	}
	return false
}
