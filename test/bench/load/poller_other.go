//go:build !linux

package load

import (
	"errors"
	"time"
)

// errAgain says that a socket takes or has nothing now.
var errAgain = errors.New("load: not now")

var errNoEpoll = errors.New("load: only Linux has epoll")

// readiness is what a connection can do now.
type readiness struct {
	id                 int
	readable, writable bool
}

// poller cannot be made here: the load generator needs Linux.
type poller struct{}

func newPoller() (*poller, error)                           { return nil, errNoEpoll }
func (p *poller) close() error                              { return nil }
func (p *poller) add(fd, id int) error                      { return errNoEpoll }
func (p *poller) watch(fd, id int, writable bool) error     { return errNoEpoll }
func (p *poller) wait(d time.Duration) ([]readiness, error) { return nil, errNoEpoll }
func lockThread() (release func())                          { return func() {} }
func dialSocket(addr string) (int, error)                   { return 0, errNoEpoll }
func exchange(fd int, command []byte) error                 { return errNoEpoll }
func readSocket(fd int, b []byte) (int, error)              { return 0, errNoEpoll }
func writeSocket(fd int, b []byte) (int, error)             { return 0, errNoEpoll }
func closeSocket(fd int)                                    {}
