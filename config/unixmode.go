package config

import (
	"io/fs"
	"strconv"
	"strings"
)

// UnixFileMode gives UnixMode as a mode; false if it is empty.
func (c *Config) UnixFileMode() (fs.FileMode, bool) {
	mode, problem := parseMode(c.UnixMode)
	return mode, c.UnixMode != "" && problem == ""
}

// parseMode reads an octal mode such as 0770. problem is the rest of a sentence that
// begins with it.
func parseMode(text string) (mode fs.FileMode, problem string) {
	n, err := strconv.ParseUint(text, 8, 32)
	switch {
	case err != nil || strings.Trim(text, "01234567") != "" || len(text) < 3 || n > 0o777:
		return 0, "is not a mode of a file; write three octal digits such as 0770 for owner and group, 0777 for everybody"
	case n&0o200 == 0:
		return 0, "does not let its owner write, so that nobody could connect; write for example 0770"
	}
	return fs.FileMode(n), ""
}

func (v *validation) unixMode(c *Config) {
	if c.UnixMode == "" {
		return
	}
	if _, problem := parseMode(c.UnixMode); problem != "" {
		v.add("unix_mode", c.UnixMode, problem)
	}
}
