package main

import (
	"context"
	"fmt"
	"io"
)

// need is what a row asks of a target, a set of bits.
type need uint8

const (
	transactions need = 1 << iota
	pubsub
	blocking
	plaintext  // the row's load does not speak TLS
	aProxy     // the row is about the proxy alone
	followable // the target moves to another master by itself
)

// starting says when a row's targets are started.
type starting uint8

const (
	once     starting = iota // before the row, all of them
	anew                     // before each measurement, the one
	byItself                 // never: the row starts what it needs
)

// row is one line of the comparison.
type row struct {
	name  string
	about string
	unit  string // of the throughput
	short bool   // part of the short set
	needs need
	size  int // of the values that the keys have; 0: no keys are needed
	start starting
	fixed bool // the rate is given, so the throughput compares nothing
	// prepare runs once before the row and gives what undoes it, and a remark for the
	// report. May be nil.
	prepare func(ctx context.Context, b *bench) (undo func() error, remark string, err error)
	// measure measures one target once.
	measure func(ctx context.Context, b *bench, t *running) (figures, error)
}

func printRows(w io.Writer, rows []row) {
	for _, r := range rows {
		mark := " "
		if r.short {
			mark = "*"
		}
		fmt.Fprintf(w, "%s %-15s %s\n", mark, r.name, r.about)
	}
	fmt.Fprintln(w, "* in the short set")
}
