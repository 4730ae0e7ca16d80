package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"steadis/config"
)

func newServeCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Forward clients to the master, and hold their commands while it changes",
		Long: "Accepts Redis clients and forwards them to the master that the Sentinels name, until SIGINT or\n" +
			"SIGTERM; then accepts no more, lets replies under way arrive (--drain), and ends with 130 or 143.\n" +
			"SIGHUP reads the configuration again; SIGUSR2 starts a new process that takes over (--handover).\n" +
			"Every flag is also a key of the configuration file and a STEADIS_* variable.",
		Example: "  steadis serve --sentinel 10.0.0.1:26379,10.0.0.2:26379,10.0.0.3:26379 --master mymaster",
	}
	addConfigFlags(cmd)
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		loaded, err := e.loadConfig(cmd, true)
		if err != nil {
			return err
		}
		log, level, err := newLogger(loaded.Log, e.stderr)
		if err != nil {
			return err
		}
		if err := afford(loaded, log); err != nil {
			return err
		}
		tune(loaded, log)
		p, stop := newProcess(level, func() (*config.Loaded, error) { return e.loadAffordable(cmd, log) })
		defer stop()
		return serve(cmd.Context(), loaded, log, p)
	})
	return cmd
}

// loadAffordable loads the configuration as a start would go by it: what has been lowered
// then is no change, and must not come back.
func (e *env) loadAffordable(cmd *cobra.Command, log *zap.Logger) (*config.Loaded, error) {
	c, err := e.loadConfig(cmd, true)
	if err != nil {
		return nil, err
	}
	if err := afford(c, log); err != nil {
		return nil, err
	}
	fitHere(c, log)
	return c, nil
}

// process is what a run has of the process that it runs in.
type process struct {
	level  zap.AtomicLevel                // of the log
	load   func() (*config.Loaded, error) // reads the configuration again
	hangup <-chan os.Signal               // asks for that
	again  <-chan os.Signal               // asks for a process that takes over
}

// newProcess listens to the signals that do not end the process, until stop is called.
func newProcess(level zap.AtomicLevel, load func() (*config.Loaded, error)) (p *process, stop func()) {
	hangup, again := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	signal.Notify(again, syscall.SIGUSR2)
	return &process{level: level, load: load, hangup: hangup, again: again}, func() {
		signal.Stop(hangup)
		signal.Stop(again)
	}
}

// serve opens the sockets that c names, or takes them over, says so in the log, and runs on
// them until ctx ends.
func serve(ctx context.Context, c *config.Loaded, log *zap.Logger, p *process) error {
	sockets, err := openSockets(ctx, &c.Config)
	if err != nil {
		return err
	}
	defer sockets.close()
	announce(c, log, sockets)
	err = run(ctx, &c.Config, log, sockets, p)
	if err == nil {
		log.Info("steadis has ended")
	}
	return err
}

// announce writes the first lines of the log: what runs where, with the ports that the
// system chose, and what looks as if it was not meant.
func announce(c *config.Loaded, log *zap.Logger, sockets *sockets) {
	fields := []zap.Field{zap.String("version", ourVersion())}
	if !c.Several() {
		fields = append(fields, listening(sockets.places[0])...)
	}
	fields = append(fields, zap.String("discovery", c.Discovery), zap.Strings("sentinel", c.Sentinel))
	if c.Several() {
		fields = append(fields, zap.Strings("masters", c.MasterNames()))
	} else {
		fields = append(fields, zap.String("master", c.Name()), zap.Duration("hold", c.Hold))
	}
	fields = append(fields, zap.String("in_doubt", c.InDoubt))
	if sockets.admin != nil {
		fields = append(fields, zap.String("admin", "http://"+sockets.admin.Listener.Addr().String()+"/"))
	}
	if sockets.former != nil {
		fields = append(fields, zap.Bool("takes_over", true))
	}
	log.Info("steadis starts", fields...)
	if c.Several() {
		for i, own := range c.PerMaster() {
			log.Named(own.Master).Info("listening", append(listening(sockets.places[i]), zap.Duration("hold", own.Hold))...)
		}
	}
	for _, warning := range c.Warnings() {
		log.Warn("configuration: " + warning)
	}
}

// listening says where the clients of a master are accepted.
func listening(p *place) []zap.Field {
	return []zap.Field{zap.Strings("listen", p.shown(p.masters)), zap.Strings("listen_replicas", p.shown(p.replicas))}
}

// afford sees to it that there are descriptors for as many clients as c allows, or allows fewer.
func afford(c *config.Loaded, log *zap.Logger) error {
	limit, err := descriptorLimit()
	if err != nil {
		log.Warn(err.Error())
		return nil
	}
	wanted := demandOf(&c.Config)
	clients, advice, err := affordClients(limit, wanted)
	if err != nil {
		return err
	}
	if advice == "" {
		_, advice = judgeDescriptors(limit, wanted)
	}
	if advice != "" {
		log.Warn(advice)
	}
	c.Limits.Clients = clients
	return nil
}
