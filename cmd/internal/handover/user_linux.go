package handover

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// sameUser makes sure that the other process runs as this one's user, or as root.
func sameUser(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	if failed := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	if cred.Uid != 0 && int(cred.Uid) != os.Geteuid() {
		return fmt.Errorf("it runs as user %d, not as %d", cred.Uid, os.Geteuid())
	}
	return nil
}
