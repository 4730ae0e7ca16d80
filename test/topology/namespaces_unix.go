//go:build unix && !linux

package topology

import (
	"errors"
	"io"
	"os"
)

var errNoNamespaces = errors.New("only Linux has network namespaces")

// Isolated says whether this process was started by Isolate: never, here.
func Isolated() bool { return false }

// Isolate is for Linux.
func Isolate(io.Writer, ...string) (code int, err error) { return 0, errNoNamespaces }

func bringUpLoopback() error { return errNoNamespaces }

func newNamespaces() (fabric, error) { return nil, errNoNamespaces }

func namespacePath(*os.File) string { return "" }
