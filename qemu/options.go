package qemu

import (
	"fmt"
	"io"
	"os"

	"nuos/qemu/tor"
)

// Options says what to start. Every field but Image has a useful zero value,
// written beside it.
type Options struct {
	// Name is the rack's name; empty means "nuos". Dir depends on it.
	Name string

	// Image is the file every machine runs: a bootable image, or an ordinary
	// executable of this system when Hosted.
	Image string

	// Archive, if set, is the image's boot archive, a cpio file. Hosted
	// machines have the files of this computer instead.
	Archive string

	// Package, if Image is empty and Hosted is set, is the main package to
	// build it from, in the current folder's module: "./images/kv".
	Package string

	// Machines is how many to start; 0 means 1. AddMachine adds more.
	Machines int

	// Hosted runs machines as ordinary processes instead of in the emulator.
	Hosted bool

	// Link joins two hosted machines by a cable (package link) instead of the
	// switch: each reads the other's memory. Faults and Pcap do not reach them. Programs
	// that dial the switch do, by an uplink of each machine.
	Link bool

	// VhostUser joins emulated machines to the switch by memory that they share with it,
	// instead of by a socket of the emulator's: no frame passes the emulator's main loop.
	// The emulator cannot make interrupts of that without KVM (arguments says why), so
	// that the machines look at their network card every millisecond at least. That costs
	// a few percent of a processor of this computer for each while it is idle.
	VhostUser bool

	// Pin has each hosted machine run on one processor of this computer, machine i
	// on the i-th that this process may use, and over again. What they measure is
	// then not blurred by Linux moving them about.
	Pin bool

	// Memory is each machine's memory in MiB; 0 means 512.
	Memory int

	// CPUs is the number of processors of each machine; 0 means 1. It means
	// nothing to hosted machines.
	CPUs int

	// MachineType is "q35", "pc" or "microvm"; empty means q35.
	MachineType string

	// Firmware of q35 and pc is "qboot", which starts fast, or "seabios", which
	// is as those of real PCs are; empty means qboot where the emulator brings it,
	// else seabios.
	Firmware string

	// CPU is the processor model, as `qemu-system-x86_64 -cpu help` lists
	// them; empty means "max". "default" leaves the choice to the emulator.
	CPU string

	// Accel is "tcg" or "kvm"; empty means kvm where it is proved to work
	// (KVMWorks), else tcg.
	Accel string

	// MTU of the rack's network, 1500 to 9000; 0 means 9000.
	MTU int

	// Params are boot parameters (or environment variables, or, after "--",
	// arguments) put after those that the rack itself gives: of a parameter
	// given twice the last counts. Each is one word, whatever is in it.
	Params []string

	// Forward are ports of this computer to be answered by the rack.
	Forward []Forward

	// Faults of every machine's link, from the start. Machine.Port changes
	// them for one.
	Faults tor.Faults

	// Seed of all random faults; 0 means a random one, in Rack.Seed.
	Seed uint64

	// Pcap, if set, is the file to record every frame in.
	Pcap string

	// NoNIC leaves out the network card, the switch and all boot parameters
	// that the rack gives. It is for tests of a kernel alone.
	NoNIC bool

	// Dir is where state, sockets and console logs go; it is made if need
	// be, and one rack at a time may use it. Empty means DefaultDir(Name).
	Dir string

	// Mirror, if set, gets a copy of every console as it is written, each
	// line after the number of its machine if there may be several.
	Mirror io.Writer

	// ExtraArgs are put at the end of the emulator's command line.
	ExtraArgs []string
}

// Forward has a port of this computer answered by the rack: connections to
// Listen go to Port of the machines, one after the other, or of those in Only.
type Forward struct {
	Listen string // "127.0.0.1:6379"; port 0 picks a free one
	Port   uint16
	Only   []int // indexes of machines; empty: all
}

func (o *Options) setDefaults() {
	if o.Name == "" {
		o.Name = "nuos"
	}
	if o.Machines == 0 {
		o.Machines = 1
	}
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
	if o.MTU == 0 {
		o.MTU = 9000
	}
}

func (o *Options) check() error {
	switch o.MachineType {
	case "q35", "pc", "microvm":
	default:
		return fmt.Errorf("qemu: unknown machine type %q: q35, pc and microvm are known", o.MachineType)
	}
	switch o.Firmware {
	case "", "qboot", "seabios":
	default:
		return fmt.Errorf("qemu: unknown firmware %q: qboot and seabios are known", o.Firmware)
	}
	switch o.Accel {
	case "", "tcg", "kvm":
	default:
		return fmt.Errorf("qemu: unknown accelerator %q: tcg and kvm are known", o.Accel)
	}
	if o.Memory < 0 || o.CPUs < 1 {
		return fmt.Errorf("qemu: %d MiB of memory, %d processors: both must be positive", o.Memory, o.CPUs)
	}
	if o.Machines < 1 || o.Machines > maxMachines {
		return fmt.Errorf("qemu: %d machines: a rack has 1 to %d", o.Machines, maxMachines)
	}
	if o.MTU < 1500 || o.MTU > 9000 {
		return fmt.Errorf("qemu: an MTU of %d: 1500 to 9000 work", o.MTU)
	}
	if !validName(o.Name) {
		return fmt.Errorf("qemu: rack name %q: letters, digits, '-' and '_' only", o.Name)
	}
	if o.Link && (!o.Hosted || o.Machines != 2 || o.Faults != (tor.Faults{}) || o.Pcap != "") {
		return fmt.Errorf("qemu: a cable joins two hosted machines, and has no faults and no capture")
	}
	if o.VhostUser && (o.Hosted || o.NoNIC) {
		return fmt.Errorf("qemu: vhost-user is for emulated machines with a network card; hosted machines have nothing else")
	}
	if o.Pin && !o.Hosted {
		return fmt.Errorf("qemu: only hosted machines can be pinned to processors")
	}
	if o.NoNIC && (o.Hosted || o.Machines > 1 || len(o.Forward) > 0 || o.Pcap != "") {
		return fmt.Errorf("qemu: without a network card there is one machine, and nothing to forward or record")
	}
	return nil
}

// checkImage is apart because an image may have to be built first.
func (o *Options) checkImage() error {
	if info, err := os.Stat(o.Image); err != nil {
		return fmt.Errorf("qemu: image: %w", err)
	} else if info.IsDir() {
		return fmt.Errorf("qemu: image %s is a folder: build it first with `nuos build`", o.Image)
	} else if o.Hosted && info.Mode()&0o111 == 0 {
		return fmt.Errorf("qemu: %s is not executable", o.Image)
	}
	return nil
}

// validName keeps names usable as a folder and as a word of a command line.
func validName(name string) bool {
	for _, c := range name {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return name != ""
}
