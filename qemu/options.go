package qemu

import (
	"fmt"
	"io"
	"os"
)

// Options says what to start. The zero value of every field but Image has a
// meaning of its own, written beside it.
type Options struct {
	// Image is the file every machine runs: a bootable image, or an ordinary
	// executable of this system when Hosted.
	Image string

	// Memory is each machine's memory in MiB; 0 means 512.
	Memory int

	// CPUs is the number of processors of each machine; 0 means 1.
	CPUs int

	// MachineType is "q35", "pc" or "microvm"; empty means q35.
	MachineType string

	// CPU is the processor model, as `qemu-system-x86_64 -cpu help` lists
	// them; empty means "max". "default" leaves the choice to the emulator.
	CPU string

	// Accel is "tcg" or "kvm"; empty means kvm where it is proved to work
	// (KVMWorks), else tcg.
	Accel string

	// Params are boot parameters (or environment variables, or, after "--",
	// arguments) added to those that the rack itself gives.
	Params []string

	// NoNIC leaves out the network card, the switch and all boot parameters
	// that speak of them. It is for tests of a kernel alone.
	NoNIC bool

	// Dir is where state, console logs and captures go; it is made if need
	// be. Run: empty means nowhere.
	Dir string

	// Mirror, if set, gets a copy of every console as it is written.
	Mirror io.Writer

	// ExtraArgs are put at the end of the emulator's command line.
	ExtraArgs []string
}

func (o *Options) setDefaults() {
	if o.Memory == 0 {
		o.Memory = 512
	}
	if o.CPUs == 0 {
		o.CPUs = 1
	}
	if o.MachineType == "" {
		o.MachineType = "q35"
	}
	if o.CPU == "" {
		o.CPU = "max"
	}
}

func (o *Options) check() error {
	switch o.MachineType {
	case "q35", "pc", "microvm":
	default:
		return fmt.Errorf("qemu: unknown machine type %q: q35, pc and microvm are known", o.MachineType)
	}
	switch o.Accel {
	case "", "tcg", "kvm":
	default:
		return fmt.Errorf("qemu: unknown accelerator %q: tcg and kvm are known", o.Accel)
	}
	if o.Memory < 0 || o.CPUs < 1 {
		return fmt.Errorf("qemu: %d MiB of memory, %d processors: both must be positive", o.Memory, o.CPUs)
	}
	if info, err := os.Stat(o.Image); err != nil {
		return fmt.Errorf("qemu: image: %w", err)
	} else if info.IsDir() {
		return fmt.Errorf("qemu: image %s is a folder: build it first with `nuos build`", o.Image)
	}
	return nil
}
