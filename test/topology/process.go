package topology

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is one child process. supervise owns it from start to end; done is
// closed once the kernel has given the child's remains to us, so that after it
// the pid belongs to nobody.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// startProcess starts path with args in dir on the host (nil: on this machine);
// what it prints goes to the end of the file log. It returns once the process runs.
func startProcess(on *Host, path string, args, env []string, dir, log string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	command, words := on.command(path, args)
	cmd := exec.Command(command, words...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = childAttr()
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.supervise(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return p, nil
}

// supervise starts the child and waits for its end. It holds its thread all the
// while: the kernel sends the child its death signal when the *thread* that
// started it ends, and Go may end an idle thread.
func (p *process) supervise(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = p.cmd.Wait() // how it ended is in ProcessState
	close(p.done)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends sig. A process that has ended already is no error.
func (p *process) signal(sig syscall.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// kill ends the process with SIGKILL and waits until it is gone.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// stop asks the process to end (SIGTERM), waits for at most patience, and then
// kills it. It says whether the process ended by itself, and with which code.
func (p *process) stop(patience time.Duration) (code int, byItself bool, err error) {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return 0, false, err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), true, nil
	case <-timer.C:
		return 0, false, p.kill()
	}
}
