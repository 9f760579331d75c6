package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"nuos/boot/image"
	"nuos/qemu"
	"nuos/qemu/linux"
)

// emulatedParams are what images/measure is to measure in emulators, where everything takes longer.
var emulatedParams = []string{
	"measure=floors,calls,moves",
	"calls=^RemoteCalls?/(bytes=8|callers=.*)$",
	"moves=^Move/bytes=1048576/threads=0/idle$",
}

// emulatedMemory is what each machine has, in MiB. In the Linux guest, half of it is the
// machine's that the program is.
const emulatedMemory = 1536

// emulated runs images/measure on two virtual machines, whose memory the switch has (vhost-user): as an image, or
// as the hosted build in a Linux guest, whose network card is a packet socket.
func (b *bench) emulated(ctx context.Context, system string) (string, error) {
	o, err := b.emulatedOptions(ctx, system)
	if err != nil {
		return "", err
	}
	o.Name, o.Machines, o.CPUs, o.Memory, o.VhostUser = "bench-"+system, 2, 1, emulatedMemory, true
	if o.Dir, err = b.folder(); err != nil {
		return "", err
	}
	r, err := qemu.Start(ctx, o)
	if err != nil {
		return "", err
	}
	defer r.Stop()
	text, err := consoles(ctx, r)
	// The rows are named for where they are measured.
	return strings.ReplaceAll(text, "\nBenchmark", "\nBenchmarkEmulated/by="+system+"/"), err
}

// emulatedOptions builds what is run the first time, and describes it every time.
func (b *bench) emulatedOptions(ctx context.Context, system string) (qemu.Options, error) {
	if o, ok := b.guests[system]; ok {
		return o, nil
	}
	var o qemu.Options
	switch system {
	case "nuos":
		built, err := image.Build(ctx, image.Options{Package: "./images/measure", Output: filepath.Join(b.dir, "measure.elf")})
		if err != nil {
			return o, err
		}
		o = qemu.Options{Image: built.Path, Params: emulatedParams}
	case "linux":
		work, err := b.folder()
		if err != nil {
			return o, err
		}
		args := append([]string{"nic=packet:eth0", fmt.Sprintf("mem=%dM", emulatedMemory/2)}, emulatedParams...)
		if o, err = linux.Guest(ctx, linux.Program{Path: b.measure, Args: args, Network: true}, work); err != nil {
			return o, err
		}
	}
	if b.guests == nil {
		b.guests = map[string]qemu.Options{}
	}
	b.guests[system] = o
	return o, nil
}
