package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"nuos/qemu"
)

// machines runs images/measure on two hosted machines with a cable between them, which
// measure floors, calls and moves in turn. As a rule they poll, as a machine does that owns its
// network card and its processors.
func machines(ctx context.Context, b *bench) (string, error) {
	dir, err := b.folder()
	if err != nil {
		return "", err
	}
	r, err := qemu.Start(ctx, qemu.Options{
		Name: "bench", Dir: dir, Image: b.measure, Hosted: true, Link: true, Pin: true,
		Machines: 2, Memory: 2048, Params: strings.Fields(b.params),
	})
	if err != nil {
		return "", err
	}
	defer r.Stop()
	return consoles(ctx, r)
}

// connection measures what an idle connection between two machines takes of each.
func connection(ctx context.Context, b *bench) (string, error) {
	out, err := exec.CommandContext(ctx, b.rack, "-test.run", "^$", "-test.bench", "^BenchmarkIdleConnection$", "-test.benchtime", "1x").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return string(out), nil
}

// consoles waits until all machines have ended and returns what they have said.
func consoles(ctx context.Context, r *qemu.Rack) (string, error) {
	var text strings.Builder
	for _, m := range r.Machines() {
		code, err := m.Wait(ctx)
		text.WriteString(m.Console())
		if err != nil || code != 0 {
			return "", fmt.Errorf("machine %d ended with status %d, %v:\n%s", m.Index(), code, err, m.Console())
		}
	}
	return text.String(), nil
}
