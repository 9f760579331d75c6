package qemu

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// launched is a process that is reaped when it ends.
type launched struct {
	*exec.Cmd
	done chan struct{}
	err  error // of Wait, valid after done
}

func (l *launched) wait() error {
	<-l.done
	return l.err
}

// launcher starts a process that runs a rack in dir and returns it when the
// machines run, with their process numbers.
func launcher(t *testing.T, dir string) (*launched, *Running) {
	cmd := &launched{Cmd: exec.Command(self(t)), done: make(chan struct{})}
	cmd.Env = append(os.Environ(), "TEST_LAUNCHER_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	go func() { // not earlier, for Wait closes out
		cmd.err = cmd.Wait()
		close(cmd.done)
	}()
	if line != "started\n" {
		t.Fatalf("the launcher said %q, %v", line, err)
	}
	r, err := Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Machines) != 2 || r.PID != cmd.Process.Pid || r.Key == "" {
		t.Fatalf("Attach = %+v", r)
	}
	for _, m := range r.Machines {
		if !alive(m.PID) {
			t.Fatalf("machine %d, process %d, does not run", m.Index, m.PID)
		}
	}
	return cmd, r
}

func pids(r *Running) (all []int) {
	for _, m := range r.Machines {
		all = append(all, m.PID)
	}
	return all
}

func TestInterruptLeavesNothing(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		dir := shortDir(t)
		cmd, r := launcher(t, dir)
		cmd.Process.Signal(sig)
		if err := cmd.wait(); err != nil {
			t.Errorf("the launcher ended with %v after %v", err, sig)
		}
		checkNothingLeft(t, dir, pids(r))
	}
}

func TestKilledLauncherLeavesNoMachine(t *testing.T) {
	dir := shortDir(t)
	cmd, r := launcher(t, dir)
	cmd.Process.Kill()
	cmd.wait()
	if _, err := Attach(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Attach = %v; want ErrNotRunning", err)
	}
	stale, _ := filepath.Glob(filepath.Join(dir, "*.sock"))
	if len(stale) == 0 {
		t.Error("a killed launcher left no socket: the rest of this test shows nothing")
	}
	// The next one starts over what is left.
	cmd, second := launcher(t, dir)
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.wait()
	checkNothingLeft(t, dir, append(pids(r), pids(second)...))
}

// The same with emulators, which know nothing of their launcher.
func TestKilledLauncherLeavesNoEmulator(t *testing.T) {
	t.Setenv("TEST_LAUNCHER_IMAGE", guest(t, 1<<31))
	dir := shortDir(t)
	cmd, r := launcher(t, dir)
	cmd.Process.Kill()
	cmd.wait()
	cmd, second := launcher(t, dir)
	cmd.Process.Signal(os.Interrupt)
	cmd.wait()
	checkNothingLeft(t, dir, append(pids(r), pids(second)...))
}

func TestStopFromOutside(t *testing.T) {
	dir := shortDir(t)
	_, r := launcher(t, dir)
	c, err := r.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !Subnet.Contains(c.Addr().Addr()) {
		t.Errorf("Dial got the address %v", c.Addr())
	}
	if err := r.Stop(deadline(t)); err != nil {
		t.Fatal(err)
	}
	checkNothingLeft(t, dir, pids(r))
}

// A launcher that does not react is killed, and what it leaves is removed.
func TestStopOfHungLauncher(t *testing.T) {
	dir := shortDir(t)
	cmd, r := launcher(t, dir)
	cmd.Process.Signal(syscall.SIGSTOP)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	checkNothingLeft(t, dir, pids(r))
}
