package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// memoryFile makes a file that is in memory only.
func memoryFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("steadis", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "steadis"), nil
}
