package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	flag.StringVar(&o.steadis, "steadis", "bin/steadis", "steadis `binary`")
	flag.StringVar(&o.predixy, "predixy", "", "predixy `binary`, if it is to be measured too")
	flag.StringVar(&o.rows, "rows", "", "rows to measure: empty for the short set, all, or a regular `expression`")
	flag.StringVar(&o.targets, "targets", "", "targets to measure, a regular `expression`; direct and steadis always are")
	flag.IntVar(&o.repeats, "repeats", 5, "how `often` each target is measured in each row")
	flag.DurationVar(&o.time, "time", 1500*time.Millisecond, "how `long` each measurement takes")
	flag.StringVar(&o.out, "out", "", "`directory` for the results (default: test/bench/results, for a selection of rows bin/bench)")
	list := flag.Bool("list", false, "list the rows and end")
	flag.Parse()
	if *list {
		printRows(os.Stdout, allRows())
		return nil
	}
	rows, err := o.selectRows(allRows())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	rep, err := measureAll(ctx, o, rows)
	if len(rep.Rows) > 0 {
		fmt.Print(rep.text())
	}
	if err != nil {
		return err // what was measured till then is only shown
	}
	return rep.write(o.directory())
}

// options are what the command line says.
type options struct {
	steadis, predixy   string
	rows, targets, out string
	repeats            int
	time               time.Duration
}

// selectRows gives the rows to measure.
func (o options) selectRows(all []row) ([]row, error) {
	expression, err := regexp.Compile(o.rows)
	if err != nil {
		return nil, fmt.Errorf("-rows: %w", err)
	}
	var chosen []row
	for _, r := range all {
		switch {
		case o.rows == "all", o.rows == "" && r.short, o.rows != "" && expression.MatchString(r.name):
			chosen = append(chosen, r)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-rows: no row matches %q; -list shows them", o.rows)
	}
	return chosen, nil
}

// directory is where the results go: a selection of rows does not replace the figures
// of a whole set.
func (o options) directory() string {
	switch {
	case o.out != "":
		return o.out
	case o.rows == "" || o.rows == "all":
		return filepath.Join("test", "bench", "results")
	}
	return filepath.Join("bin", "bench")
}
