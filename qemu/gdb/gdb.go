package gdb

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"nuos/qemu"
)

//go:embed commands.py
var commands []byte

// ErrNoGDB: gdb is not installed.
var ErrNoGDB = errors.New("gdb is not installed: run `apt-get install -y gdb`")

// Attach runs gdb on machine i, with more arguments for it, until it ends. It uses
// this process's terminal.
func Attach(ctx context.Context, r *qemu.Running, i int, arguments []string) (err error) {
	program, err := exec.LookPath("gdb")
	if err != nil {
		return ErrNoGDB
	}
	socket := filepath.Join(r.Dir, fmt.Sprintf("gdb-%d.sock", i))
	if err := open(ctx, r, i, socket); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shut(r, i, socket)) }()
	dir, err := os.MkdirTemp("", "nuos-gdb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	script := filepath.Join(dir, "commands.py")
	if err := os.WriteFile(script, commands, 0o600); err != nil {
		return err
	}
	args := []string{"-q", "-iex", "set auto-load python-scripts off", r.SymbolsPath()}
	if root, err := goroot(ctx); err == nil {
		args = append(args, "-ex", "directory "+filepath.Join(root, "src"), "-ex", "source "+filepath.Join(root, "src/runtime/runtime-gdb.py"))
	} else {
		fmt.Fprintf(os.Stderr, "nuos: without a Go release there are no commands for goroutines: %v\n", err)
	}
	args = append(args, "-ex", "source "+script, "-ex", "target remote "+socket)
	// Not bound to ctx: an interrupt from the terminal is for gdb.
	cmd := exec.Command(program, append(args, arguments...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func open(ctx context.Context, r *qemu.Running, i int, socket string) error {
	in, err := r.Inside(ctx, i)
	if err != nil {
		return err
	}
	defer in.Close()
	return in.Monitor.OpenGDB(socket)
}

// shut closes the socket and lets the machine go on, which it does not when gdb was
// killed.
func shut(r *qemu.Running, i int, socket string) error {
	in, err := r.Inside(context.Background(), i)
	if err != nil {
		if _, gone := qemu.Attach(r.Dir); errors.Is(gone, qemu.ErrNotRunning) {
			return nil // the machine was killed in gdb
		}
		return err
	}
	defer in.Close()
	defer os.Remove(socket)
	return errors.Join(in.Monitor.CloseGDB(), in.Monitor.Continue())
}

// goroot is the folder of the Go release, which has runtime-gdb.py.
func goroot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	return strings.TrimSpace(string(out)), err
}
