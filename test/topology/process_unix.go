//go:build unix && !linux

package topology

import "syscall"

// childAttr puts a child into a process group of its own. Only Linux can also
// let it die with us; elsewhere Close must be reached.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
