package sysio

import (
	"syscall"
	"unsafe"
)

// small is how many bytes a call may be for that the scheduler is not told of: the kernel copies
// them in a tenth of a millisecond. It would give the place of a thread that takes a fifth of
// that to another one, which is woken for it: with values of 10 kB, of which 50 clients have
// half a megabyte written at one time, that took a fifth of the throughput.
const small = 1 << 20

func read(fd uintptr, p []byte) (int, syscall.Errno) { return call(syscall.SYS_READ, fd, p) }

func write(fd uintptr, p []byte) (int, syscall.Errno) { return call(syscall.SYS_WRITE, fd, p) }

func call(number, fd uintptr, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	var (
		n     uintptr
		errno syscall.Errno
	)
	if len(p) > small {
		n, _, errno = syscall.Syscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	} else {
		n, _, errno = syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
