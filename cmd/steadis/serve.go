package main

import (
	"context"
	"net"

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
			"Every flag is also a key of the configuration file and a STEADIS_* variable.",
		Example: "  steadis serve --sentinel 10.0.0.1:26379,10.0.0.2:26379,10.0.0.3:26379 --master mymaster",
	}
	addConfigFlags(cmd)
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		loaded, err := e.loadConfig(cmd, true)
		if err != nil {
			return err
		}
		log, err := newLogger(loaded.Log, e.stderr)
		if err != nil {
			return err
		}
		if err := afford(loaded, log); err != nil {
			return err
		}
		tune(loaded, log)
		return serve(cmd.Context(), loaded, log)
	})
	return cmd
}

// serve opens the listeners that c names, says so in the log, and runs on them
// until ctx ends.
func serve(ctx context.Context, c *config.Loaded, log *zap.Logger) error {
	mode, _ := c.UnixFileMode()
	clients, err := openListeners(ctx, c.Listen, mode)
	if err != nil {
		return err
	}
	var admin net.Listener
	if c.Admin != "" {
		if admin, err = openListener(ctx, c.Admin, 0); err != nil {
			closeListeners(clients)
			return err
		}
	}
	announce(c, log, clients, admin)
	err = run(ctx, &c.Config, log, clients, admin)
	if err == nil {
		log.Info("steadis has ended")
	}
	return err
}

// announce writes the first lines of the log: what runs where, with the ports that the
// system chose, and what looks as if it was not meant.
func announce(c *config.Loaded, log *zap.Logger, clients []net.Listener, admin net.Listener) {
	listen := make([]string, len(clients))
	for i, listener := range clients {
		listen[i] = listener.Addr().String()
		if config.ListensTLS(c.Listen[i]) {
			listen[i] = "tls://" + listen[i]
		}
	}
	fields := []zap.Field{
		zap.String("version", ourVersion()),
		zap.Strings("listen", listen),
		zap.String("discovery", c.Discovery),
		zap.Strings("sentinel", c.Sentinel),
		zap.String("master", c.Name()),
		zap.Duration("hold", c.Hold),
		zap.String("in_doubt", c.InDoubt),
	}
	if admin != nil {
		fields = append(fields, zap.String("admin", "http://"+admin.Addr().String()+"/"))
	}
	log.Info("steadis starts", fields...)
	for _, warning := range c.Warnings() {
		log.Warn("configuration: " + warning)
	}
}

// afford sees to it that there are descriptors for as many clients as c allows, or allows fewer.
func afford(c *config.Loaded, log *zap.Logger) error {
	limit, err := descriptorLimit()
	if err != nil {
		log.Warn(err.Error())
		return nil
	}
	clients, advice, err := affordClients(limit, c.Limits.Clients)
	if err != nil {
		return err
	}
	if advice == "" {
		_, advice = judgeDescriptors(limit, clients)
	}
	if advice != "" {
		log.Warn(advice)
	}
	c.Limits.Clients = clients
	return nil
}
