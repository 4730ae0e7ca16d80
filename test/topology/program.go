package topology

import (
	"path/filepath"
)

// Program is a process of another kind, such as another proxy to compare with.
type Program struct {
	proc *process
	log  string
}

// RunProgram starts a program on the host (nil: on this machine), in dir, which
// must exist; what it prints goes to a file there. It returns once the process
// runs, which does not mean that it serves.
func RunProgram(on *Host, path string, args []string, dir string) (*Program, error) {
	p := &Program{log: filepath.Join(dir, filepath.Base(path)+".log")}
	var err error
	p.proc, err = startProcess(on, path, args, nil, dir, p.log)
	return p, err
}

// Alive says whether the process exists.
func (p *Program) Alive() bool { return p.proc.alive() }

// PID is the process id.
func (p *Program) PID() int { return p.proc.pid() }

// Kill ends the process with SIGKILL and returns once it is gone.
func (p *Program) Kill() error { return p.proc.kill() }

// LogTail gives the last lines of what the process printed.
func (p *Program) LogTail() string { return tail(p.log) }
