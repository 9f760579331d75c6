package gotest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"nuos/boot/image"
	"nuos/qemu"
	"nuos/qemu/linux"
)

// Options says how tests run. The zero value is useful.
type Options struct {
	Dir     string        // where the go command runs; default: the current folder
	Args    []string      // of the test binary, such as -test.run=X; -test.v is given anyway
	Timeout time.Duration // of the tests; 0 means ten minutes, as with go test
	Memory  int           // of the machine in MiB; 0 means 2048
	CPUs    int           // 0 means 2
	Linux   bool          // run them in the Linux guest
	Output  func(Event)   // if set, gets everything that happens, as it happens
}

// bootTime is how much longer than the tests a machine may take.
const bootTime = time.Minute

// Run builds and runs the tests of the package pkg, as the go command in o.Dir
// names it. An error says that they could not be run; tests that
// fail, and machines that crash or take too long, are in the result. Several may
// run at a time.
func Run(ctx context.Context, pkg string, o Options) (*Result, error) {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	if o.Memory == 0 {
		o.Memory = 2048
	}
	if o.CPUs == 0 {
		o.CPUs = 2
	}
	work, err := os.MkdirTemp("", "nuos-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)

	p, err := find(ctx, o.Dir, pkg)
	if err != nil {
		return nil, err
	}
	res := newResult(p.ImportPath)
	if len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 {
		res.NoTests = true
		return res, nil
	}
	args := []string{"-test.v=test2json", "-test.paniconexit0", "-test.timeout=" + o.Timeout.String()}
	start := nuosGuest
	if o.Linux {
		start = linuxGuest
	} else {
		args = append(args, skipArgument(p.ImportPath)...)
	}
	args = append(args, o.Args...)
	opt, err := start(ctx, o.Dir, p, args, work)
	if err != nil {
		return nil, err
	}
	opt.Machines, opt.CPUs, opt.Memory, opt.NoNIC = 1, o.CPUs, o.Memory, true

	events, err := res.listen(ctx, o.Output)
	if err != nil {
		return nil, err
	}
	opt.Mirror = &unixLines{w: events}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout+bootTime)
	defer cancel()
	began := time.Now()
	res.Console, res.ExitCode, err = qemu.Run(ctx, opt)
	res.Elapsed = time.Since(began)
	if err != nil {
		fmt.Fprintf(opt.Mirror, "\nnuos: the machine ended without an exit code: %v\n", err)
	}
	if err := events.Close(); err != nil {
		return nil, err
	}
	if err != nil && (errors.Is(err, qemu.ErrLaunch) || ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded)) {
		return nil, err
	}
	res.Crashed = err != nil
	return res, nil
}

// nuosGuest makes an image of the tests.
func nuosGuest(ctx context.Context, dir string, p *goPackage, args []string, work string) (qemu.Options, error) {
	r, err := image.Build(ctx, image.Options{Dir: dir, Package: p.ImportPath, Test: true, Output: filepath.Join(work, "test.elf")})
	if err != nil {
		return qemu.Options{}, err
	}
	archive := filepath.Join(work, "files.cpio")
	if err := image.WriteArchive(archive, p.trees()...); err != nil {
		return qemu.Options{}, err
	}
	params := append([]string{"cwd=" + p.Dir}, p.environment()...)
	params = append(append(params, "--"), args...)
	return qemu.Options{Image: r.Path, Archive: archive, Params: params}, nil
}

// linuxGuest builds the tests as an ordinary program for the Linux guest.
func linuxGuest(ctx context.Context, dir string, p *goPackage, args []string, work string) (qemu.Options, error) {
	program := filepath.Join(work, "test")
	if _, err := goCommand(ctx, dir, "test", "-c", "-trimpath", "-ldflags=-w", "-o", program, p.ImportPath); err != nil {
		return qemu.Options{}, err
	}
	return linux.Guest(ctx, linux.Program{Path: program, Args: args, Env: p.environment(), Dir: p.Dir, Files: p.trees()}, work)
}

// unixLines takes the carriage returns off the ends of lines that a serial
// console has.
type unixLines struct {
	w    io.Writer
	held bool // a carriage return that may belong to a line end
}

func (u *unixLines) Write(p []byte) (int, error) {
	var out bytes.Buffer
	for _, b := range p {
		if u.held && b != '\n' {
			out.WriteByte('\r')
		}
		if u.held = b == '\r'; !u.held {
			out.WriteByte(b)
		}
	}
	if _, err := u.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}
