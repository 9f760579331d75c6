package qemu

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Run boots one machine, waits until it ends and returns what it printed and
// its exit code. When ctx ends first the machine is killed and err wraps
// ErrKilled and the context's error; the console so far is returned in every
// case. A machine that resets itself gives ErrReset.
func Run(ctx context.Context, o Options) (console string, code int, err error) {
	o.NoNIC = true
	o.setDefaults()
	if err := o.check(); err != nil {
		return "", -1, err
	}
	path, err := emulator()
	if err != nil {
		return "", -1, err
	}
	log := ""
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return "", -1, err
		}
		log = filepath.Join(o.Dir, "console-0.log")
	}
	c, err := newConsole(log, o.Mirror)
	if err != nil {
		return "", -1, err
	}
	p, err := startProcess(path, arguments(&o, hardware{name: "nuos", accel: accelerator(o.Accel), append: o.Params}), nil, nil, c)
	if err != nil {
		return "", -1, err
	}
	defer context.AfterFunc(ctx, p.kill)()
	code, err = p.guestExitCode()
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("%w: %w", err, ctx.Err())
	}
	return c.String(), code, err
}
