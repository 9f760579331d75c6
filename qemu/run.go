package qemu

import (
	"context"
	"fmt"
)

// Run starts a rack (of one machine, usually), waits until machine 0 ends,
// stops the rest, and returns what machine 0 said and its exit code. When ctx
// ends first, err wraps ErrKilled and the context's error. The console so far
// is returned in every case. A machine that resets itself gives ErrReset. With
// NoNIC and no Dir, nothing is written anywhere.
func Run(ctx context.Context, o Options) (console string, code int, err error) {
	r, err := Start(ctx, o)
	if err != nil {
		return "", -1, err
	}
	defer r.Stop()
	m := r.Machine(0)
	code, err = m.Wait(context.Background()) // ctx kills the machine
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", err, ctx.Err())
	}
	return m.Console(), code, err
}
