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

// bootTime is how much longer than the tests a machine may take.
const bootTime = time.Minute

// guest makes a machine that runs the tests of one package with these arguments.
type guest func(args []string) (qemu.Options, error)

// run boots the machine and fills res in. An error says that there was no machine.
func (g guest) run(ctx context.Context, o Options, args []string, res *Result) error {
	opt, err := g(args)
	if err != nil {
		return err
	}
	opt.Machines, opt.CPUs, opt.Memory, opt.NoNIC = 1, o.CPUs, o.Memory, true
	events, err := res.listen(ctx, o.Output)
	if err != nil {
		return err
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
		return err
	}
	if err != nil && (errors.Is(err, qemu.ErrLaunch) || ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded)) {
		return err
	}
	res.Crashed = err != nil
	return nil
}

// nuosGuest makes an image of the tests.
func nuosGuest(ctx context.Context, dir string, p *goPackage, work string) (guest, error) {
	r, err := image.Build(ctx, image.Options{Dir: dir, Package: p.ImportPath, Test: true, Output: filepath.Join(work, "test.elf")})
	if err != nil {
		return nil, err
	}
	archive := filepath.Join(work, "files.cpio")
	if err := image.WriteArchive(archive, p.trees()...); err != nil {
		return nil, err
	}
	return func(args []string) (qemu.Options, error) {
		params := append([]string{"cwd=" + p.Dir}, p.environment()...)
		params = append(append(params, "--"), args...)
		return qemu.Options{Image: r.Path, Archive: archive, Params: params}, nil
	}, nil
}

// linuxGuest builds the tests as an ordinary program for the Linux guest.
func linuxGuest(ctx context.Context, dir string, p *goPackage, work string) (guest, error) {
	program := filepath.Join(work, "test")
	if _, err := goCommand(ctx, dir, "test", "-c", "-ldflags=-w", "-o", program, p.ImportPath); err != nil {
		return nil, err
	}
	return func(args []string) (qemu.Options, error) {
		work, err := os.MkdirTemp(work, "guest-")
		if err != nil {
			return qemu.Options{}, err
		}
		return linux.Guest(ctx, linux.Program{Path: program, Args: args, Env: p.environment(), Dir: p.Dir, Files: p.trees()}, work)
	}, nil
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
