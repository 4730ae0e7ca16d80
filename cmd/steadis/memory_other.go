//go:build !linux

package main

import (
	"errors"
	"os"
)

// memoryFile is only needed where there is systemd.
func memoryFile() (*os.File, error) { return nil, errors.ErrUnsupported }
