package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// pinned is a command that runs on the first or second of the pair's processors.
func (b *bench) pinned(ctx context.Context, side int, path string, args ...string) *exec.Cmd {
	processor := strings.Split(b.processors, ",")[side]
	return exec.CommandContext(ctx, "taskset", append([]string{"-c", processor, path}, args...)...)
}

// folder makes a new one for those who meet in it.
func (b *bench) folder() (string, error) { return os.MkdirTemp(b.dir, "pair-") }

// peer is one of the module peers: a process that serves and one that measures.
func peer(name string) contestant {
	return contestant{name, func(ctx context.Context, b *bench) (string, error) {
		folder, err := b.folder()
		if err != nil {
			return "", err
		}
		var said, complaint bytes.Buffer
		serve := b.pinned(ctx, 0, b.peers, "serve", name, folder)
		serve.Stderr = &said
		end, err := serve.StdinPipe() // it ends when this does
		if err != nil {
			return "", err
		}
		if err := serve.Start(); err != nil {
			return "", err
		}
		measure := b.pinned(ctx, 1, b.peers, "measure", name, folder)
		measure.Stderr = &complaint
		text, err := measure.Output()
		end.Close()
		serve.Wait() // what went wrong there is seen by the other, too
		if err != nil {
			return "", fmt.Errorf("%w\n%s%s", err, complaint.String(), said.String())
		}
		return string(text), nil
	}}
}
