package main

import (
	"fmt"
	"os"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// What the service manager is told (sd_notify). Without one, that is without
// NOTIFY_SOCKET, nothing happens.
const (
	managerReady    = daemon.SdNotifyReady
	managerStopping = daemon.SdNotifyStopping
	managerAlive    = daemon.SdNotifyWatchdog
)

// managerReloading says that a reload begins. systemd wants to know when by its own clock.
func managerReloading() string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return daemon.SdNotifyReloading
	}
	return fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000)
}

// managerStatus is the line that `systemctl status` shows.
func managerStatus(text string) string { return "STATUS=" + text }

// managerMainPID says that another process is the service from now on.
func managerMainPID(pid int) string { return fmt.Sprintf("MAINPID=%d", pid) }

// tellManager tells the service manager. It does not wait for it.
func tellManager(log *zap.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("the service manager cannot be told", zap.String("socket", os.Getenv("NOTIFY_SOCKET")), zap.Error(err))
	}
}
