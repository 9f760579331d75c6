package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"nuos/qemu/tor"
)

// Running is a rack that another process started.
type Running struct {
	State
	Dir string
}

// Attach finds the rack that runs in dir. The error wraps ErrNotRunning if
// there is none.
func Attach(dir string) (*Running, error) {
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !locked(dir) {
		return nil, fmt.Errorf("%w in %s", ErrNotRunning, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("qemu: %w", err)
	}
	r := &Running{Dir: dir}
	if err := json.Unmarshal(text, &r.State); err != nil {
		return nil, fmt.Errorf("qemu: %s: %w", filepath.Join(dir, stateFile), err)
	}
	return r, nil
}

// Dial gives this process a port of the rack's switch. The caller closes it.
func (r *Running) Dial() (*tor.Client, error) { return tor.Dial(r.Switch) }

// Stop asks the launcher to stop its rack, and returns when it has; when ctx
// ends first the launcher is killed, which ends the machines too.
func (r *Running) Stop(ctx context.Context) error {
	if err := syscall.Kill(r.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("qemu: stop: %w", err)
	}
	if r.gone(ctx) {
		return nil
	}
	if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("qemu: stop: %w", err)
	}
	if r.gone(context.Background()) {
		return nil
	}
	return fmt.Errorf("qemu: stop: the launcher, process %d, does not end", r.PID)
}

// gone waits until no launcher holds the folder and removes what one that had
// no time to do so has left.
func (r *Running) gone(ctx context.Context) bool {
	tick := time.NewTicker(10 * time.Millisecond) // a lock cannot be waited for with a context
	defer tick.Stop()
	for {
		if lock, err := lockDir(r.Dir); err == nil {
			defer lock.Close()
			sweep(r.Dir)
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// whole is a lock of all of a file.
func whole() *unix.Flock_t { return &unix.Flock_t{Type: unix.F_WRLCK} }

// lockDir takes the lock that a launcher holds while its rack runs. It fails
// with ErrRunning when another does. The lock (fcntl(2), open file description
// locks) goes with its process.
func lockDir(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("qemu: %w", err)
	}
	if err := unix.FcntlFlock(lock.Fd(), unix.F_OFD_SETLK, whole()); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%w in %s", ErrRunning, dir)
	}
	return lock, nil
}

// locked reports whether a launcher lives. It takes no lock itself, so that it
// never stands in the way of one that starts.
func locked(dir string) bool {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	l := whole()
	return unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, l) == nil && l.Type != unix.F_UNLCK
}
