package qemu

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// The emulator's command line.

const emulatorName = "qemu-system-x86_64"

// nicFD is the descriptor on which the emulator finds its cable to the
// switch. os/exec numbers inherited files from 3.
const nicFD = 3

// maxQueue is the longest receive ring the emulator offers; a longer ring
// absorbs bursts while the guest's processor is not running.
const maxQueue = 1024

// emulator finds QEMU.
func emulator() (string, error) {
	path, err := exec.LookPath(emulatorName)
	if err != nil {
		return "", ErrNoQEMU
	}
	return path, nil
}

// hardware is what the command line says of one machine.
type hardware struct {
	name  string
	accel string
	mac   string // empty: no network card
	mtu   int
	vhost string // socket of the switch, instead of the cable at nicFD; empty: the cable
	line  string
	bios  string // firmware; empty: the emulator's choice

	monitor string // socket of the monitor for everybody; empty: none
	watchFD int    // descriptor of the launcher's own monitor, with monitor only
}

// arguments is the command line of one machine. A guest that resets ends
// (-no-reboot), nothing is there that was not asked for (-nodefaults), and
// every thread has a name, so that those of processors can be told apart.
func arguments(o *Options, h hardware) []string {
	accel := h.accel
	if accel == "tcg" {
		accel = "tcg,thread=multi"
	}
	machine := o.MachineType
	if machine == "microvm" {
		// The second interrupt controller is for 24 virtio devices that are not on the PCI
		// bus, which it would make and the kernel does not use.
		machine = "microvm,pcie=on,isa-serial=on,ioapic2=off"
	}
	args := []string{
		"-name", h.name + ",debug-threads=on",
		"-machine", machine, "-accel", accel,
		"-smp", processors(o.CPUs), "-m", strconv.Itoa(o.Memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=4",
		"-kernel", o.Image,
	}
	if h.bios != "" {
		args = append(args, "-bios", h.bios)
	}
	if o.CPU != "default" {
		args = append(args, "-cpu", o.CPU)
	}
	if o.Archive != "" {
		args = append(args, "-initrd", o.Archive)
	}
	if h.line != "" {
		args = append(args, "-append", h.line)
	}
	if h.mac != "" {
		args = append(args, card(o, h)...)
		args = append(args, "-device", "virtio-rng-pci,disable-legacy=on")
	}
	if h.monitor != "" {
		args = append(args, monitorArguments(h.monitor, h.watchFD)...)
	}
	return append(args, o.ExtraArgs...)
}

// card is the network card and where its frames go.
//
// With vhost-user the switch has the machine's memory, and QEMU turns its signals into
// interrupts. QEMU 7.2 without KVM ends with a segmentation fault when it is to send
// a message (MSI-X) for one: it looks into a table of routes that only KVM makes. So such a
// card has no messages (vectors=0).
func card(o *Options, h hardware) []string {
	device := fmt.Sprintf("virtio-net-pci,netdev=net0,mac=%s,host_mtu=%d,rx_queue_size=%d,"+
		"mrg_rxbuf=on,event_idx=on,disable-legacy=on,romfile=", h.mac, h.mtu, maxQueue)
	if h.vhost == "" {
		return []string{"-netdev", fmt.Sprintf("stream,id=net0,server=off,addr.type=fd,addr.str=%d", nicFD), "-device", device}
	}
	device += fmt.Sprintf(",tx_queue_size=%d", maxQueue)
	if h.accel != "kvm" {
		device += ",vectors=0"
	}
	return []string{
		"-object", fmt.Sprintf("memory-backend-memfd,id=ram,size=%dM,share=on", o.Memory), "-machine", "memory-backend=ram",
		"-chardev", "socket,id=switch,path=" + escape(h.vhost), "-netdev", "vhost-user,id=net0,chardev=switch",
		"-device", device,
	}
}

// escape writes a path as a value of QEMU's options, in which commas end.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }

// environment is the emulator's. While a machine starts, the emulator allocates a small
// piece for nearly each block of code that it translates: in large pages that is a third
// of its page faults less, 3 % of the time to start, and no more memory. glibc has this
// since 2.35; who has set tunables of their own keeps them.
func environment() []string {
	const tunables = "GLIBC_TUNABLES"
	if _, set := os.LookupEnv(tunables); set {
		return os.Environ()
	}
	return append(os.Environ(), tunables+"=glibc.malloc.hugetlb=1")
}

// monitorArguments gives a machine two monitors, because each serves one client at
// a time: one for who asks at a socket, one for the launcher, which is told when the
// machine crashes. A machine that crashes stops, and waits until it has been saved.
func monitorArguments(socket string, watchFD int) []string {
	return []string{
		"-chardev", "socket,id=monitor,server=on,wait=off,path=" + escape(socket), "-mon", "chardev=monitor,mode=control",
		"-chardev", fmt.Sprintf("socket,id=watch,fd=%d", watchFD), "-mon", "chardev=watch,mode=control",
		"-device", "pvpanic", "-action", "panic=pause,shutdown=pause",
	}
}

// processors is the argument of -smp. Where there can never be a second
// processor QEMU's emulation leaves out memory barriers and locks instructions
// in name only, although its own threads, which are the devices, share the
// memory: now and then a driver and its device then each miss what the other has
// just written. Room for a second one that is never plugged in avoids that.
func processors(n int) string { return fmt.Sprintf("%d,maxcpus=%d", n, max(n, 2)) }
