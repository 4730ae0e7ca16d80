//go:build !linux

package sysio

import (
	"errors"
	"syscall"
)

// Poller is there on Linux only.
type Poller struct{}

// NewPoller returns errors.ErrUnsupported.
func NewPoller() (*Poller, error) { return nil, errors.ErrUnsupported }

// Add is never called.
func (*Poller) Add(syscall.RawConn, uint64) error { return errors.ErrUnsupported }

// Remove is never called.
func (*Poller) Remove(syscall.RawConn) error { return errors.ErrUnsupported }

// Run is never called.
func (*Poller) Run(func([]Event)) error { return errors.ErrUnsupported }

// Close is never called.
func (*Poller) Close() error { return nil }
