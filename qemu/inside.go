package qemu

import (
	"context"
	"errors"
	"fmt"

	"nuos/boot/image"
	"nuos/qemu/inspect"
	"nuos/qemu/monitor"
)

// Inside is a running machine that is looked into from another process than its
// launcher's. It is not for concurrent use.
type Inside struct {
	Monitor *monitor.Client
	Symbols *inspect.Symbols

	dir string
}

// Inside begins to look into machine i. The caller closes it soon: one at a time may
// do so.
func (r *Running) Inside(ctx context.Context, i int) (*Inside, error) {
	if r.Hosted {
		return nil, fmt.Errorf("qemu: machine %d: %w", i, ErrHosted)
	}
	if i < 0 || i >= len(r.Machines) {
		return nil, fmt.Errorf("qemu: no machine %d: there are %d, from 0", i, len(r.Machines))
	}
	symbols, err := inspect.ReadSymbols(r.SymbolsPath())
	if err != nil {
		return nil, err
	}
	client, err := monitor.Dial(ctx, r.Machines[i].Monitor)
	if err != nil {
		return nil, fmt.Errorf("qemu: machine %d: %w", i, err)
	}
	return &Inside{Monitor: client, Symbols: symbols, dir: r.Dir}, nil
}

// SymbolsPath is where the symbols of the rack's image are, if it has any.
func (r *Running) SymbolsPath() string { return r.Image + image.SymbolsSuffix }

// Close ends looking.
func (in *Inside) Close() error { return in.Monitor.Close() }

// Look calls look with the machine's memory while it runs. Only what changes in one
// step is right then, such as a counter.
func (in *Inside) Look(look func(*inspect.Machine) error) error {
	m, err := inspect.Open(in.Symbols, in.Monitor.Memory(in.dir), nil)
	if err != nil {
		return err
	}
	return look(m)
}

// LookStopped stops the machine while look is called.
func (in *Inside) LookStopped(look func(*inspect.Machine) error) (err error) {
	running, err := in.Monitor.Running()
	if err != nil {
		return err
	}
	if running {
		if err := in.Monitor.Stop(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, in.Monitor.Continue()) }()
	}
	registers, err := in.Monitor.Registers()
	if err != nil {
		return err
	}
	m, err := inspect.Open(in.Symbols, in.Monitor.Memory(in.dir), registers)
	if err != nil {
		return err
	}
	return look(m)
}
