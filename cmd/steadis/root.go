package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"steadis/config"
)

// env is what a command has of the world besides its context and arguments.
type env struct {
	// stdout gets what was asked for, stderr logs and errors. Commands may write
	// to them from several goroutines only through a lock of their own.
	stdout, stderr io.Writer
	// environ is the environment as os.Environ gives it.
	environ []string
}

// commands makes every subcommand. A new one is added here, and nowhere else. Its
// RunE must be made by runs, so that its errors are told from those of usage.
var commands = []func(*env) *cobra.Command{
	newServeCommand,
	newCheckCommand,
	newConfigCommand,
	newDemoCommand,
	newDrillCommand,
	newHealthCommand,
	newManCommand,
	newSwitchoverCommand,
	newReloadCommand,
	newVersionCommand,
}

// Main runs the command that args name and gives the process's exit code: 0
// clean, 1 failed, 2 wrong configuration or usage, 130 and 143 ended by SIGINT and
// SIGTERM. It ends early if ctx does, with 0 if nothing else went wrong.
func Main(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	ctx, stop := withSignals(ctx)
	defer stop()
	root := newRootCommand(&env{stdout: stdout, stderr: stderr, environ: environ})
	root.SetArgs(append([]string{}, args...)) // cobra takes nil for os.Args
	err := root.ExecuteContext(ctx)
	var signalled *exitError
	if errors.As(context.Cause(ctx), &signalled) && (err == nil || errors.Is(err, context.Canceled)) {
		err = signalled
	}
	return report(stderr, err)
}

func newRootCommand(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "steadis",
		Short: "A Sentinel-aware failover proxy for Redis",
		Long: "steadis forwards Redis commands to the master that Sentinel names, and holds them while\n" +
			"the master changes: the app sees a slow command, not an error.",
		SilenceErrors:     true, // report prints them
		SilenceUsage:      true,
		DisableAutoGenTag: true, // man pages are the same at every build
	}
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetFlagErrorFunc(explainFlag)
	for _, newCommand := range commands {
		root.AddCommand(newCommand(e))
	}
	root.AddCommand(newTopics()...)
	return root
}

// runs makes a cobra RunE of run, with every error of run an exitError.
func runs(run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return asExitError(run(cmd, args))
	}
}

// explainFlag adds to pflag's error what may help.
func explainFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var own []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { own = append(own, f.Name) })
		if near := config.Nearest(unknown.GetSpecifiedName(), own); near != "" {
			err = fmt.Errorf("unknown flag '--%s'; did you mean '--%s'?", unknown.GetSpecifiedName(), near)
		}
	}
	return fmt.Errorf("%w (`%s --help` lists the flags)", err, cmd.CommandPath())
}

// withSignals ends the context at the first SIGINT or SIGTERM, with the exit code
// as its cause. The second one ends the process at once, as without a handler. stop
// returns once the goroutine has ended.
func withSignals(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	received := make(chan os.Signal, 1)
	signal.Notify(received, os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	go awaitSignal(ctx, received, cancel, ended)
	return ctx, func() {
		cancel(context.Canceled)
		<-ended
	}
}

// awaitSignal is the goroutine of withSignals. It ends with ctx.
func awaitSignal(ctx context.Context, received chan os.Signal, cancel context.CancelCauseFunc, ended chan<- struct{}) {
	defer close(ended)
	defer signal.Stop(received)
	select {
	case s := <-received:
		if s == syscall.SIGTERM {
			cancel(errSigTerm)
		} else {
			cancel(errSigInt)
		}
	case <-ctx.Done():
	}
}

// addConfigFlags adds a flag for every configuration key, and --config.
func addConfigFlags(cmd *cobra.Command) {
	config.AddFlags(cmd.Flags())
	cmd.Flags().String("config", "", "Configuration file (default: the one that "+config.FileVariable+" names, if any)")
	cmd.Flags().SortFlags = false // the order of default.yaml, which is that of importance
	cmd.Args = cobra.NoArgs
	completeConfigFlags(cmd)
}

// loadConfig loads the configuration that cmd's flags and e describe. Its faults
// end with exit code 2.
func (e *env) loadConfig(cmd *cobra.Command, needDeployment bool) (*config.Loaded, error) {
	return e.load(cmd, config.Input{NeedDeployment: needDeployment})
}

// loadChosen is loadConfig for a command that is about one master: where there are several,
// --master chooses one of them.
func (e *env) loadChosen(cmd *cobra.Command, needDeployment bool) (*config.Loaded, error) {
	return e.load(cmd, config.Input{NeedDeployment: needDeployment, Choose: true})
}

func (e *env) load(cmd *cobra.Command, in config.Input) (*config.Loaded, error) {
	var err error
	if in.File, err = cmd.Flags().GetString("config"); err != nil {
		return nil, err
	}
	in.Environ, in.Flags = e.environ, cmd.Flags()
	return config.Load(in)
}

// report prints err, if it has something to say, and gives the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitClean
	}
	code := exitUsage // cobra's own errors are about usage
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		if exit.err == nil {
			return code
		}
	}
	line := err.Error()
	if !strings.HasPrefix(line, "steadis: ") {
		line = "steadis: " + line
	}
	// The exit code still tells if standard error is gone.
	_, _ = fmt.Fprintln(stderr, line)
	return code
}
