package qemu

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one child, an emulator or a hosted machine, tied to the life of
// this process: the kernel kills it when we die, however we die.
type process struct {
	cmd      *exec.Cmd
	emulator bool          // its status encodes the guest's
	done     chan struct{} // closed after the child was reaped

	mu     sync.Mutex
	stderr strings.Builder // the beginning of what the program itself said
}

const keepStderr = 16 << 10

// pipeGrace is how long a console may stay open after its machine has ended,
// which happens when the machine left a child behind.
const pipeGrace = 2 * time.Second

// spawner is the one thread that starts children. The parent-death signal is
// sent when the *thread* that forked ends (prctl(2)), and Go ends a thread
// whose goroutine returns while locked to it; this one never returns.
var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// startProcess runs a program whose standard output and standard error go to
// console. It runs on the n-th processor that we may use, unless n is negative. The child gets a process group of its own, so that a terminal's
// Ctrl-C reaches only us and we end the group in order.
func startProcess(path string, args []string, env []string, files []*os.File, n int, console *Console) (*process, error) {
	p := &process{cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Env = env
	p.cmd.ExtraFiles = files
	p.cmd.Stdout = console
	p.cmd.Stderr = writerFunc(func(b []byte) (int, error) {
		p.mu.Lock()
		if room := keepStderr - p.stderr.Len(); room > 0 {
			p.stderr.Write(b[:min(len(b), room)])
		}
		p.mu.Unlock()
		return console.Write(b)
	})
	p.cmd.WaitDelay = pipeGrace
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	spawner() <- func() {
		started <- onProcessor(n, p.cmd.Start)
	}
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%w: %v", ErrLaunch, err)
	}
	go func() {
		p.cmd.Wait() // the status is in ProcessState
		console.end()
		close(p.done)
	}()
	return p, nil
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// signal sends sig to the whole process group. A child that has already been
// reaped is left alone: its number may be somebody else's.
func (p *process) signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended() {
		return nil
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("qemu: signal %v: %w", sig, err)
	}
	return nil
}

// kill ends the child and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// complaint returns what the program said on standard error, less warnings.
func (p *process) complaint() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines []string
	for line := range strings.Lines(p.stderr.String()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "qemu") && !strings.Contains(line, "warning:") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// ended reports whether the child is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// code is what the machine exited with; it is called after done.
func (p *process) code() (int, error) {
	state := p.cmd.ProcessState
	if !state.Exited() {
		return -1, fmt.Errorf("%w: %v", ErrKilled, state)
	}
	status := state.ExitCode()
	switch {
	case !p.emulator:
		return status, nil
	case status == 0:
		return -1, ErrReset
	case status&1 == 0:
		return -1, fmt.Errorf("%w: the emulator's status is %d", ErrLaunch, status)
	}
	// The debug-exit device ends the emulator with (code<<1)|1, which its own
	// failures at start also use (1); only they leave a complaint.
	if status == 1 {
		if why := p.complaint(); why != "" {
			return -1, fmt.Errorf("%w: %s", ErrLaunch, why)
		}
	}
	return status >> 1, nil
}
