package main

import (
	"context"
	"errors"
	"fmt"

	"steadis/config"
)

// The exit codes, as design.md section 2 fixes them.
const (
	exitClean   = 0
	exitFailure = 1
	exitUsage   = 2
	exitSigInt  = 128 + 2
	exitSigTerm = 128 + 15
)

// exitError is an error that decides the process's exit code.
type exitError struct {
	code int
	err  error // nil: everything has been said already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// The causes of a context that a signal has ended.
var (
	errSigInt  = &exitError{code: exitSigInt}
	errSigTerm = &exitError{code: exitSigTerm}
)

// errFailed ends a command that has printed itself what went wrong.
var errFailed = &exitError{code: exitFailure}

// asExitError gives err the exit code that it stands for: 2 for faults of the
// configuration, 1 for all others. The end of a context stays what it is.
func asExitError(err error) error {
	var exit *exitError
	var faults config.Faults
	switch {
	case err == nil, errors.As(err, &exit), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &faults):
		return &exitError{code: exitUsage, err: err}
	default:
		return &exitError{code: exitFailure, err: err}
	}
}
